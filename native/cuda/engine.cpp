#include "cuda/engine.h"

#include <string>
#include <utility>

#include "cuda/context.h"
#include "cuda/plan_cache.h"
#include "cuda/streamed.h"
#include "cuda/tables.h"

namespace pike::cuda {
namespace {

Status CheckDtypes(const Layout& layout) {
  const auto& tensors = layout.tensors();
  for (const Layout::Tensor& tensor : tensors) {
    if (tensor.dtype == Dtype::kFloat64 || tensor.dtype != tensors[0].dtype)
      return {StatusCode::kShape, "on a GPU all tensors of a gradient are float32, or bfloat16, or float16"};
  }
  return {};
}

class CudaEngine final : public Engine {
 public:
  explicit CudaEngine(std::shared_ptr<DeviceContext> context) : context_(std::move(context)) {}

  Status Measure(const MomentsInput& input, const RowSource& source, const WeightUpdate* update,
                 const Cancellation& cancellation, DeviceResult* result) override {
    if (cancellation.cancelled()) return Aborted();
    Status status = context_->Alive();
    if (status.ok()) status = CheckDtypes(input.layout);
    if (status.ok()) status = Place(input, source, update, cancellation, result);
    return context_->Note(std::move(status));
  }

  Status OpenStream(std::int32_t tasks, const Layout& layout, bool inner,
                    std::unique_ptr<DeviceMomentStream>* stream) override {
    Status status = CheckDtypes(layout);
    std::unique_ptr<StreamedMoments> made;
    if (status.ok()) status = StreamedMoments::Create(context_, tasks, layout, inner, &made);
    if (status.ok()) *stream = std::move(made);
    return status;
  }

  std::int64_t bytes() const override { return cache_.bytes(); }

 private:
  /// Sees to it that the rows are on the device.
  Status Place(const MomentsInput& input, const RowSource& source, const WeightUpdate* update,
               const Cancellation& cancellation, DeviceResult* result) {
    MomentsShape shape;
    for (const Layout::Tensor& tensor : input.layout.tensors()) shape.lengths.push_back(tensor.length);
    shape.dtype = input.layout.tensors()[0].dtype;
    shape.rows_per_task = input.rows_per_task;
    shape.inner = input.inner;
    Path path;
    Status status = ChoosePath(shape, &path);
    if (!status.ok()) return status;
    if (path == Path::kWelford) return RowByRow(input, source, update, cancellation, result);

    std::vector<RowPointers> rows = input.rows;
    std::optional<TypedRow> metric = input.preconditioner;
    Upload upload;
    if (source.host) status = upload.Run(*context_, input.layout, &rows, &metric);
    if (status.ok()) status = AllAtOnce(input, shape, rows, metric, source, update, result);
    return status;
  }

  Status AllAtOnce(const MomentsInput& input, const MomentsShape& shape, const std::vector<RowPointers>& rows,
                   const std::optional<TypedRow>& metric, const RowSource& source, const WeightUpdate* update,
                   DeviceResult* result) {
    MeasurementKey key;
    key.shape = shape;
    if (metric) {
      for (const Layout::Tensor& tensor : metric->layout.tensors()) key.metric_dtypes.push_back(tensor.dtype);
    }
    key.solves = update != nullptr;
    PlanCache::Entry* entry = nullptr;
    Status status = cache_.Get(
        key,
        [&](std::unique_ptr<Measurement>* made) {
          MomentsPlan plan;
          Status planned = MomentsPlan::Create(shape, &plan);
          if (!planned.ok()) return planned;
          return Measurement::Create(context_, std::move(plan),
                                     static_cast<std::int32_t>(shape.lengths.size()), key.metric_dtypes,
                                     key.solves, made);
        },
        &entry);
    if (!status.ok()) return status;

    MeasurementInput given;
    for (const RowPointers& row : rows) given.rows.insert(given.rows.end(), row.begin(), row.end());
    if (metric) given.metric = metric->tensors;
    given.row_samples = input.samples;
    given.inner = input.inner;
    given.update = update;
    given.micro_batches = input.rows_per_task;
    std::size_t row = 0;
    for (const std::int32_t count : input.rows_per_task) {
      double samples = 0;
      for (std::int32_t i = 0; i < count; ++i) samples += input.samples[row++];
      given.samples.push_back(samples);
    }
    if (!source.host) status = CheckAddresses(input.layout, rows, metric, given, entry);
    if (status.ok()) status = context_->AwaitCaller(source);
    if (!status.ok()) return status;
    std::int64_t first_invalid = -1;
    status = entry->measurement->Run(given, result, &first_invalid);
    if (!status.ok()) {
      cache_.Drop(entry);
      return status;
    }
    return first_invalid < 0 ? status : InvalidMetric(metric->layout, first_invalid);
  }

  /// Unless they are those of the last time.
  Status CheckAddresses(const Layout& layout, const std::vector<RowPointers>& rows,
                        const std::optional<TypedRow>& metric, const MeasurementInput& given,
                        PlanCache::Entry* entry) {
    std::vector<const void*> addresses = given.rows;
    addresses.insert(addresses.end(), given.metric.begin(), given.metric.end());
    if (addresses == entry->known) return {};
    for (std::size_t r = 0; r < rows.size(); ++r) {
      Status status = context_->CheckAddresses(layout, rows[r], "gradient " + std::to_string(r));
      if (!status.ok()) return status;
    }
    if (metric) {
      Status status = context_->CheckAddresses(metric->layout, metric->tensors, "the preconditioner");
      if (!status.ok()) return status;
    }
    entry->known = std::move(addresses);
    return {};
  }

  /// More rows than one launch takes.
  Status RowByRow(const MomentsInput& input, const RowSource& source, const WeightUpdate* update,
                  const Cancellation& cancellation, DeviceResult* result) {
    if (input.row_scalars) {
      return {StatusCode::kShape, "on a GPU, standard errors can be had of at most " +
                                      std::to_string(kMostTiledRows) +
                                      " rows together; measure without, or fewer, or on the CPU"};
    }
    std::unique_ptr<StreamedMoments> stream;
    const auto tasks = static_cast<std::int32_t>(input.rows_per_task.size());
    Status status = StreamedMoments::Create(context_, tasks, input.layout, input.inner, &stream);
    std::size_t row = 0;
    for (std::int32_t k = 0; k < tasks; ++k) {
      const std::int32_t count = input.rows_per_task[static_cast<std::size_t>(k)];
      for (std::int32_t i = 0; i < count && status.ok(); ++i, ++row) {
        status =
            stream->Add(k, input.rows[row], input.samples[row], input.preconditioner, source, cancellation);
      }
    }
    if (status.ok()) status = stream->Finish(update, result);
    return status;
  }

  std::shared_ptr<DeviceContext> context_;
  PlanCache cache_;
};

}  // namespace

Status Engine::Open(int device, std::unique_ptr<Engine>* engine) {
  std::shared_ptr<DeviceContext> context;
  Status status = DeviceContext::Open(device, &context);
  if (status.ok()) status = runtime::TolerateCaptures();
  if (status.ok()) *engine = std::make_unique<CudaEngine>(std::move(context));
  return status;
}

}  // namespace pike::cuda

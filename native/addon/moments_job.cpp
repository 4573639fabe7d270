#include "addon/moments_job.h"

#include <cstdint>
#include <memory>
#include <utility>

#include "addon/cancellation_object.h"
#include "addon/environment.h"
#include "addon/inputs.h"
#include "addon/promise_job.h"
#include "addon/results.h"
#include "addon/sliced_read.h"
#include "addon/staged_call.h"
#include "cpu/moments.h"

namespace pike {
namespace {

class MomentsJob final : public PromiseJob {
 public:
  MomentsJob(Napi::Env env, std::shared_ptr<Cancellation> cancellation, Inputs inputs, MomentsInput request)
      : PromiseJob(env, std::move(cancellation)),
        shared_(Environment::Of(env).shared),
        inputs_(std::move(inputs)),
        request_(std::move(request)) {}

  /// What has to be done on the JS thread. Arrays that script could take away are read there, slice by slice:
  /// a copy would take that thread longer, and memory besides. A caller who wants the call to be over with
  /// them at once gets copies.
  Status Begin(bool in_slices, Stages** stages) {
    *stages = &inputs_.copy;
    if (!in_slices || inputs_.copy.empty()) return inputs_.copy.Begin();
    read_ = std::make_unique<SlicedRead>(shared_, request_, inputs_.copy);
    *stages = read_.get();
    return {};
  }

 private:
  Status Compute(const Cancellation& cancellation) override {
    if (read_) return read_->ToMoments(cancellation, &moments_);
    return ComputeMoments(request_, shared_->threads, cancellation, &moments_);
  }
  void ReleaseInputs() noexcept override { inputs_.Release(); }
  Napi::Value Result(Napi::Env env) override { return ToObject(env, moments_); }

  std::shared_ptr<SharedResources> shared_;
  Inputs inputs_;
  MomentsInput request_;
  std::unique_ptr<SlicedRead> read_;
  Moments moments_;
};

}  // namespace

Status ReadMomentsRequest(const Napi::Object& object, MomentsInput* request) {
  const Status invalid = {StatusCode::kShape, "the request is not valid"};
  std::optional<Layout> layout = ReadLayout(object.Get("dtypes"), object.Get("lengths"));
  if (!layout) return invalid;
  request->layout = *std::move(layout);
  auto rows_per_task = ReadNumbers<std::int32_t>(object.Get("rowsPerTask"), napi_int32_array);
  auto samples = ReadNumbers<double>(object.Get("samples"), napi_float64_array);
  if (!rows_per_task || !samples) return invalid;
  request->rows_per_task = *std::move(rows_per_task);
  request->samples = *std::move(samples);
  request->inner = object.Get("inner").ToBoolean();
  request->row_scalars = object.Get("rowScalars").ToBoolean();
  if (object.Has("threads")) request->threads = object.Get("threads").ToNumber().Int32Value();
  std::uint64_t rows = 0;
  for (const std::int32_t count : request->rows_per_task) {
    if (count < 0) return invalid;
    rows += static_cast<std::uint64_t>(count);
  }
  return rows == request->samples.size() ? Status() : invalid;
}

Napi::Value SubmitMoments(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const Napi::Object object = info[0].As<Napi::Object>();
    Environment& environment = Environment::Of(env);
    MomentsInput request;
    Status status = ReadMomentsRequest(object, &request);
    if (!status.ok()) return ToObject(env, status);

    Inputs inputs(environment.shared);
    status = inputs.ReadRows(object.Get("tensors").As<Napi::Array>(), request.layout, request.samples.size());
    if (status.ok()) status = inputs.ReadPreconditioner(object.Get("preconditioner"), object.Get("lengths"));
    if (!status.ok()) return ToObject(env, status);
    request.rows = std::move(inputs.rows);
    request.preconditioner = std::move(inputs.preconditioner);

    auto job = std::make_unique<MomentsJob>(env, CancellationObject::Of(info[1]), std::move(inputs),
                                            std::move(request));
    Stages* stages = nullptr;
    status = job->Begin(info[2].ToBoolean(), &stages);
    if (!status.ok()) return ToObject(env, status);
    return StagedCall::Submit(env, environment.executor, std::move(job), stages, info[2]);
  });
}

}  // namespace pike

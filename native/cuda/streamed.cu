#include "cuda/streamed.h"

#include <cstring>
#include <utility>

#include "cuda/check_metric.h"
#include "cuda/launch.h"
#include "cuda/measurement.h"
#include "cuda/update_block.h"

namespace pike::cuda {

struct StreamedMoments::Blocks {
  // Tables.
  BlockArray<Chunk> chunks;
  BlockArray<std::int64_t> mean_begins;
  BlockArray<double> state;  ///< [2][tasks] deviations, norms
  BlockArray<unsigned> tickets;
  std::int64_t table_bytes = 0;
  // The block of a call.
  BlockArray<const void*> gradient;
  BlockArray<const void*> metric;
  BlockArray<Dtype> metric_dtypes;
  BlockArray<unsigned long long> first_invalid;
  std::int64_t in_bytes = 0;
  BlockArray<double> state_out;
  // Where they begin on the device.
  char* tables = nullptr;
  char* call = nullptr;
  Tail tail = {};
};

namespace {

/// Sums of a virtual block of welford.h.
constexpr std::int32_t kSlots = 2;

std::int64_t Length(std::size_t size) { return static_cast<std::int64_t>(size); }

}  // namespace

StreamedMoments::StreamedMoments(std::shared_ptr<DeviceContext> context, std::int32_t tasks,
                                 const Layout& layout, bool inner)
    : context_(std::move(context)),
      layout_(layout),
      inner_(inner),
      blocks_(std::make_unique<Blocks>()),
      means_(inner ? static_cast<std::size_t>(tasks) : 1),
      micro_batches_(static_cast<std::size_t>(tasks), 0),
      samples_(static_cast<std::size_t>(tasks), 0.0) {}

StreamedMoments::~StreamedMoments() = default;

Status StreamedMoments::Create(std::shared_ptr<DeviceContext> context, std::int32_t tasks,
                               const Layout& layout, bool inner, std::unique_ptr<StreamedMoments>* stream) {
  std::unique_ptr<StreamedMoments> made(new StreamedMoments(std::move(context), tasks, layout, inner));
  std::vector<std::int64_t> lengths;
  for (const Layout::Tensor& tensor : layout.tensors()) lengths.push_back(tensor.length);
  Status status = ColumnPlan::Create(lengths, kMostVirtualBlocks, &made->columns_);
  if (!status.ok()) return status;
  made->mean_layout_ = MeanLayout::Of(lengths);
  *stream = std::move(made);
  return {};
}

std::int64_t StreamedMoments::bytes() const {
  std::int64_t bytes = memory_.bytes();
  for (const DeviceMemory& mean : means_) bytes += mean.bytes();
  return bytes;
}

Status StreamedMoments::Usable() const {
  Status status = context_->Alive();
  return status.ok() ? broken_ : status;
}

/// What a first micro-batch of `task` needs, unless it is there.
Status StreamedMoments::Allocate(std::int32_t task) {
  DeviceMemory& mean = means_[inner_ ? static_cast<std::size_t>(task) : 0];
  Status status;
  if (!mean) {
    DeviceMemory made;
    const std::int64_t bytes = mean_layout_.length * static_cast<std::int64_t>(sizeof(float));
    status = DeviceMemory::Allocate(bytes, &made);
    // Between tensors there is room that no gradient fills, and that products of means read.
    if (status.ok()) status = runtime::FillZero(made.data(), bytes, context_->stream());
    if (!status.ok()) return status;
    mean = std::move(made);
  }
  if (memory_) return {};

  const auto tasks = Length(micro_batches_.size());
  const auto tensors = Length(layout_.tensors().size());
  Blocks blocks;
  BlockLayout tables;
  blocks.chunks = tables.Add<Chunk>(Length(columns_.chunks.size()));
  blocks.mean_begins = tables.Add<std::int64_t>(tensors);
  blocks.state = tables.Add<double>(2 * tasks);
  blocks.tickets = tables.Add<unsigned>(columns_.groups + 1);
  blocks.table_bytes = tables.bytes();
  BlockLayout call;
  blocks.gradient = call.Add<const void*>(tensors);
  blocks.metric = call.Add<const void*>(tensors);
  blocks.metric_dtypes = call.Add<Dtype>(tensors);
  blocks.first_invalid = call.Add<unsigned long long>(1);
  blocks.in_bytes = call.bytes();
  blocks.state_out = call.Add<double>(2 * tasks);
  BlockLayout workspace;
  const auto partials = workspace.Add<double>(std::int64_t{columns_.virtual_blocks} * kSlots);
  const auto group_partials = workspace.Add<double>(std::int64_t{columns_.groups} * kSlots);

  DeviceMemory memory;
  status = DeviceMemory::Allocate(tables.bytes() + call.bytes() + workspace.bytes(), &memory);
  if (status.ok()) status = PinnedMemory::Allocate(call.bytes(), &host_);
  if (!status.ok()) return status;
  std::memset(host_.data(), 0, static_cast<std::size_t>(call.bytes()));  // what is between arrays goes along
  blocks.tables = memory.data();
  blocks.call = blocks.tables + tables.bytes();
  char* const work = blocks.call + call.bytes();
  blocks.tail = {{partials.In(work)},
                 {group_partials.In(work)},
                 {blocks.tickets.In(blocks.tables)},
                 1,
                 kSlots,
                 columns_.virtual_blocks,
                 columns_.group_size,
                 columns_.groups};
  std::vector<char> begin(static_cast<std::size_t>(tables.bytes()), 0);
  blocks.chunks.Write(begin.data(), columns_.chunks);
  blocks.mean_begins.Write(begin.data(), mean_layout_.begins);
  status = runtime::Copy(blocks.tables, begin.data(), tables.bytes(), context_->stream());
  if (status.ok()) status = context_->Finish(nullptr);  // `begin` must outlive the copy
  if (!status.ok()) return status;
  *blocks_ = blocks;
  memory_ = std::move(memory);
  return {};
}

Status StreamedMoments::Add(std::int32_t task, const RowPointers& gradient, double samples,
                            const std::optional<TypedRow>& preconditioner, const RowSource& source,
                            const Cancellation& cancellation) {
  if (cancellation.cancelled()) return Aborted();
  if (Status status = Usable(); !status.ok()) return status;
  std::vector<RowPointers> rows = {gradient};
  std::optional<TypedRow> metric = preconditioner;
  Status status = Allocate(task);
  Upload upload;
  if (status.ok() && source.host) status = upload.Run(*context_, layout_, &rows, &metric);
  if (status.ok() && !source.host) status = CheckAddresses(rows[0], metric);
  if (!status.ok()) return context_->Note(std::move(status));

  char* const host = host_.data();
  blocks_->gradient.Write(host, rows[0]);
  if (metric) {
    blocks_->metric.Write(host, metric->tensors);
    Dtype* const dtypes = blocks_->metric_dtypes.In(host);
    for (std::size_t t = 0; t < rows[0].size(); ++t) dtypes[t] = metric->layout.tensors()[t].dtype;
  }
  *blocks_->first_invalid.In(host) = kNoneInvalid;
  status = context_->AwaitCaller(source);
  bool begun = false;
  if (status.ok()) status = EnqueueUpdate(task, samples, metric.has_value(), &begun);
  Status finished = context_->Finish(nullptr);
  if (status.ok()) status = std::move(finished);
  if (!status.ok()) {
    status = context_->Note(std::move(status));
    if (begun) broken_ = {status.code, "this measurement cannot go on: " + status.message};
    return status;
  }
  if (const unsigned long long column = *blocks_->first_invalid.In(host); column != kNoneInvalid)
    return InvalidMetric(metric->layout, static_cast<std::int64_t>(column));
  const auto k = static_cast<std::size_t>(task);
  ++micro_batches_[k];
  samples_[k] += samples;
  return {};
}

Status StreamedMoments::CheckAddresses(const RowPointers& gradient, const std::optional<TypedRow>& metric) {
  const auto check = [this](const Layout& layout, const RowPointers& row, const char* name,
                            RowPointers* known) -> Status {
    if (row == *known) return {};
    Status status = context_->CheckAddresses(layout, row, name);
    if (status.ok()) *known = row;
    return status;
  };
  Status status = check(layout_, gradient, "the gradient", &known_gradient_);
  if (!status.ok() || !metric) return status;
  // The same addresses hold more of a wider type.
  std::vector<Dtype> dtypes;
  for (const Layout::Tensor& tensor : metric->layout.tensors()) dtypes.push_back(tensor.dtype);
  if (dtypes != known_metric_dtypes_) known_metric_.clear();
  known_metric_dtypes_ = std::move(dtypes);
  return check(metric->layout, metric->tensors, "the preconditioner", &known_metric_);
}

/// Arguments in, check and update, and back what the check found.
Status StreamedMoments::EnqueueUpdate(std::int32_t task, double samples, bool has_metric, bool* begun) {
  const Blocks& blocks = *blocks_;
  const auto k = static_cast<std::size_t>(task);
  const auto tasks = static_cast<std::int64_t>(micro_batches_.size());
  const runtime::StreamHandle stream = context_->stream();
  const Columns columns = {blocks.chunks.In(blocks.tables), static_cast<std::int32_t>(columns_.chunks.size()),
                           columns_.chunks_per_block};
  const Metric metric = {has_metric ? blocks.metric.In(blocks.call) : nullptr,
                         blocks.metric_dtypes.In(blocks.call),
                         {blocks.first_invalid.In(blocks.call)}};
  double* const state = blocks.state.In(blocks.tables);
  const double after = samples_[k] + samples;
  const WelfordArguments arguments = {columns,
                                      blocks.gradient.In(blocks.call),
                                      reinterpret_cast<float*>(means_[inner_ ? k : 0].data()),
                                      blocks.mean_begins.In(blocks.tables),
                                      metric,
                                      blocks.tail,
                                      {state + task},
                                      {state + tasks + task},
                                      static_cast<float>(samples / after),
                                      samples * samples_[k] / after};
  Status status = runtime::Copy(blocks.call, host_.data(), blocks.in_bytes, stream);
  if (status.ok() && has_metric) {
    status = LaunchCheckMetric({columns, columns_.virtual_blocks, metric}, 0, static_cast<Stream>(stream));
  }
  if (status.ok()) {
    *begun = true;
    status = LaunchWelford(layout_.tensors()[0].dtype, arguments, 0, static_cast<Stream>(stream));
  }
  if (!status.ok() || !has_metric) return status;
  return runtime::Copy(blocks.first_invalid.In(host_.data()), blocks.first_invalid.In(blocks.call),
                       sizeof(unsigned long long), stream);
}

Status StreamedMoments::Collect(const Cancellation& cancellation, Moments* moments) {
  if (cancellation.cancelled()) return Aborted();
  DeviceResult result;
  Status status = Finish(nullptr, &result);
  if (status.ok()) *moments = std::move(result.moments);
  return status;
}

Status StreamedMoments::Finish(const WeightUpdate* update, DeviceResult* result) {
  if (Status status = Usable(); !status.ok()) return status;
  std::int32_t measured = 0;
  for (const std::int32_t count : micro_batches_) measured += count > 0;
  return context_->Note(inner_ && measured > 0 ? Products(update, result) : Sums(update, result));
}

/// With the products of the means, which a launch of its own forms.
Status StreamedMoments::Products(const WeightUpdate* update, DeviceResult* result) {
  std::vector<std::int32_t> measured;
  MeasurementInput input;
  for (std::size_t k = 0; k < micro_batches_.size(); ++k) {
    if (micro_batches_[k] == 0) continue;
    measured.push_back(static_cast<std::int32_t>(k));
    input.rows.push_back(means_[k].data());
  }
  input.known_deviations = blocks_->state.In(blocks_->tables);
  input.inner = true;
  input.update = update;
  input.micro_batches = micro_batches_;
  input.samples = samples_;
  MomentsPlan plan;
  Status status = MomentsPlan::CreateForMeans(
      mean_layout_.length, static_cast<std::int32_t>(micro_batches_.size()), measured, &plan);
  std::unique_ptr<Measurement> measurement;
  if (status.ok())
    status = Measurement::Create(context_, std::move(plan), 1, {}, update != nullptr, &measurement);
  std::int64_t first_invalid;
  if (status.ok()) status = measurement->Run(input, result, &first_invalid);
  return status;
}

/// Without products all is there already.
Status StreamedMoments::Sums(const WeightUpdate* update, DeviceResult* result) {
  const std::size_t tasks = micro_batches_.size();
  Moments& moments = result->moments;
  moments = {};
  moments.micro_batches = micro_batches_;
  moments.samples = samples_;
  moments.deviation.assign(tasks, 0.0);
  moments.mean_norm_squared.assign(tasks, 0.0);
  if (inner_) moments.mean_inner.emplace(tasks * tasks, 0.0);
  if (!memory_) return {};  // nothing was ever added, so there is nothing to solve for

  const auto count = static_cast<std::int32_t>(tasks);
  double* const state = blocks_->state.In(blocks_->tables);
  const runtime::StreamHandle stream = context_->stream();
  DeviceMemory memory;
  PinnedMemory host;
  UpdateBlock block;
  Status status = context_->Begin();
  if (update != nullptr) {
    BlockLayout layout;
    block = UpdateBlock(count, &layout);
    const auto where = layout.Add<Update>(1);
    block.AddOutputs(&layout);
    if (status.ok()) status = DeviceMemory::Allocate(layout.bytes(), &memory);
    if (status.ok()) status = PinnedMemory::Allocate(layout.bytes(), &host);
    if (!status.ok()) return status;
    std::memset(host.data(), 0, static_cast<std::size_t>(layout.bytes()));
    where.Put(host.data(), block.Write(*update, micro_batches_, samples_, host.data(), memory.data()));
    status = runtime::Copy(memory.data(), host.data(), layout.bytes(), stream);
    if (status.ok())
      status = LaunchSolve({where.In(memory.data()), {state}, count}, static_cast<Stream>(stream));
    if (status.ok()) status = runtime::Copy(host.data(), memory.data(), layout.bytes(), stream);
  }
  double* const out = blocks_->state_out.In(host_.data());
  if (status.ok()) status = runtime::Copy(out, state, 2 * Length(tasks) * 8, stream);
  Status finished = context_->Finish(&result->milliseconds);
  if (status.ok()) status = std::move(finished);
  if (!status.ok()) return status;
  moments.deviation.assign(out, out + tasks);
  moments.mean_norm_squared.assign(out + tasks, out + 2 * tasks);
  // A task that was never added shares no vector, and its state is zeros.
  if (update != nullptr) result->solved = block.Read(host.data());
  return {};
}

}  // namespace pike::cuda

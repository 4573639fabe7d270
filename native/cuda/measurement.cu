#include "cuda/measurement.h"

#include <cstring>
#include <utility>

#include "cuda/launch.h"
#include "cuda/update_block.h"

namespace pike::cuda {

struct Measurement::Blocks {
  // The block of a call: what goes in, a word that goes in and comes back, what comes back.
  BlockArray<const void*> rows;
  BlockArray<const void*> metric;
  BlockArray<float> shares;
  BlockArray<double> row_samples;
  BlockArray<Finish> finish;
  UpdateBlock update;
  BlockArray<unsigned long long> first_invalid;
  BlockArray<double> results;
  std::int64_t in_bytes = 0;  ///< From the beginning.
  std::int64_t bytes = 0;
  char* device = nullptr;  ///< The whole block in memory of the device.
  // What is the same in every call.
  Finish finish_constants = {};
  MomentsArguments arguments = {};
};

namespace {

std::int64_t Length(std::size_t size) { return static_cast<std::int64_t>(size); }

}  // namespace

Status Measurement::Create(std::shared_ptr<DeviceContext> context, MomentsPlan plan, std::int32_t tensors,
                           const std::vector<Dtype>& metric_dtypes, bool solves,
                           std::unique_ptr<Measurement>* measurement) {
  std::unique_ptr<Measurement> made(new Measurement(std::move(context), std::move(plan), solves));
  Status status = made->Prepare(tensors, metric_dtypes);
  if (status.ok()) *measurement = std::move(made);
  return status;
}

Measurement::Measurement(std::shared_ptr<DeviceContext> context, MomentsPlan plan, bool solves)
    : context_(std::move(context)), plan_(std::move(plan)), solves_(solves) {}

Measurement::~Measurement() { runtime::DestroyGraph(graph_); }

Status Measurement::Prepare(std::int32_t tensors, const std::vector<Dtype>& metric_dtypes) {
  blocks_ = std::make_unique<Blocks>();
  const auto tasks = static_cast<std::int32_t>(plan_.tasks.size());

  // Tables, which never change. The tickets are among them because they begin as zeros.
  BlockLayout tables;
  const auto chunks = tables.Add<Chunk>(Length(plan_.columns.chunks.size()));
  const auto sets = tables.Add<Set>(Length(plan_.sets.size()));
  const auto shapes = tables.Add<TileShape>(Length(plan_.shapes.size()));
  const auto measured_tasks = tables.Add<TaskRows>(Length(plan_.measured_tasks.size()));
  const auto task_rows = tables.Add<TaskRows>(tasks);
  const auto sources = tables.Add<std::int64_t>(Length(plan_.sources.size()));
  const auto dtypes = tables.Add<Dtype>(Length(metric_dtypes.size()));
  const auto tickets = tables.Add<unsigned>(plan_.tickets());

  BlockLayout call;
  Blocks& blocks = *blocks_;
  blocks.rows = call.Add<const void*>(std::int64_t{plan_.rows} * tensors);
  blocks.metric = call.Add<const void*>(Length(metric_dtypes.size()));
  blocks.shares = call.Add<float>(plan_.rows);
  blocks.row_samples = call.Add<double>(plan_.rows);
  blocks.finish = call.Add<Finish>(1);
  if (solves_) blocks.update = UpdateBlock(tasks, &call);
  blocks.first_invalid = call.Add<unsigned long long>(1);
  blocks.in_bytes = call.bytes();
  blocks.results = call.Add<double>(plan_.results());
  if (solves_) blocks.update.AddOutputs(&call);
  blocks.bytes = call.bytes();

  BlockLayout workspace;
  const auto partials = workspace.Add<double>(plan_.partials());
  const auto group_partials = workspace.Add<double>(plan_.group_partials());

  Status status = DeviceMemory::Allocate(tables.bytes() + call.bytes() + workspace.bytes(), &memory_);
  if (status.ok()) status = PinnedMemory::Allocate(call.bytes(), &host_);
  if (!status.ok()) return status;
  std::memset(host_.data(), 0, static_cast<std::size_t>(call.bytes()));  // what is between arrays goes along
  char* const at = memory_.data();
  blocks.device = at + tables.bytes();
  char* const work = blocks.device + call.bytes();

  std::vector<char> begin(static_cast<std::size_t>(tables.bytes()), 0);
  chunks.Write(begin.data(), plan_.columns.chunks);
  sets.Write(begin.data(), plan_.sets);
  shapes.Write(begin.data(), plan_.shapes);
  measured_tasks.Write(begin.data(), plan_.measured_tasks);
  task_rows.Write(begin.data(), plan_.tasks);
  sources.Write(begin.data(), plan_.sources);
  dtypes.Write(begin.data(), metric_dtypes);
  status = runtime::Copy(at, begin.data(), tables.bytes(), context_->stream());
  if (status.ok()) status = context_->Finish(nullptr);  // `begin` must outlive the copy
  if (!status.ok()) return status;

  const ColumnPlan& columns = plan_.columns;
  const bool has_metric = !metric_dtypes.empty();
  const Global<unsigned long long> first_invalid = {blocks.first_invalid.In(blocks.device)};
  blocks.arguments = {
      {chunks.In(at), static_cast<std::int32_t>(columns.chunks.size()), columns.chunks_per_block},
      sets.In(at),
      shapes.In(at),
      measured_tasks.In(at),
      blocks.rows.In(blocks.device),
      blocks.shares.In(blocks.device),
      tensors,
      {has_metric ? blocks.metric.In(blocks.device) : nullptr, dtypes.In(at), first_invalid},
      {{partials.In(work)},
       {group_partials.In(work)},
       {tickets.In(at)},
       static_cast<std::int32_t>(plan_.sets.size()),
       plan_.slots,
       columns.virtual_blocks,
       columns.group_size,
       columns.groups},
      blocks.finish.In(blocks.device)};
  blocks.finish_constants = {sources.In(at),
                             {blocks.results.In(blocks.device)},
                             blocks.row_samples.In(blocks.device),
                             task_rows.In(at),
                             {nullptr},
                             static_cast<std::int32_t>(plan_.sources.size()),
                             plan_.first_norm,
                             tasks,
                             {nullptr, nullptr, nullptr, {nullptr}}};
  return {};
}

void Measurement::Write(const MeasurementInput& input) {
  const Blocks& blocks = *blocks_;
  char* const host = host_.data();
  blocks.rows.Write(host, input.rows);
  blocks.metric.Write(host, input.metric);
  blocks.row_samples.Write(host, input.row_samples);
  for (std::size_t k = 0; !input.row_samples.empty() && k < plan_.tasks.size(); ++k) {
    const TaskRows task = plan_.tasks[k];
    for (std::int32_t r = task.first; r < task.first + task.count; ++r) {
      blocks.shares.In(host)[r] =
          static_cast<float>(input.row_samples[static_cast<std::size_t>(r)] / input.samples[k]);
    }
  }
  Finish finish = blocks.finish_constants;
  // The kernel only reads them.
  finish.known_deviations.address = const_cast<double*>(input.known_deviations);
  if (solves_) {
    finish.update =
        blocks.update.Write(*input.update, input.micro_batches, input.samples, host, blocks.device);
  }
  blocks.finish.Put(host, finish);
  *blocks.first_invalid.In(host) = kNoneInvalid;
}

/// Arguments in, one launch, results out.
Status Measurement::Enqueue() {
  const Blocks& blocks = *blocks_;
  const runtime::StreamHandle stream = context_->stream();
  const std::int64_t back = blocks.first_invalid.begin;
  Status status = runtime::Copy(blocks.device, host_.data(), blocks.in_bytes, stream);
  if (status.ok()) {
    const int solved = solves_ ? static_cast<int>(plan_.tasks.size()) : 0;
    status = LaunchMoments(plan_, blocks.arguments, solved, 0, static_cast<Stream>(stream));
  }
  if (!status.ok()) return status;
  return runtime::Copy(host_.data() + back, blocks.device + back, blocks.bytes - back, stream);
}

/// The same as a graph. Where none can be made, each step is given to the stream piece by piece.
Status Measurement::Capture() {
  const runtime::StreamHandle stream = context_->stream();
  Status status = runtime::BeginCapture(stream);
  if (!status.ok()) return status.code == StatusCode::kCudaFatal ? status : Status();
  const Status captured = Enqueue();
  status = runtime::EndCapture(stream, &graph_);
  if (!captured.ok()) {
    // What was captured may be a graph all the same, but of a part of the step.
    runtime::DestroyGraph(graph_);
    graph_ = nullptr;
  }
  for (const Status& each : {captured, status}) {
    if (each.code == StatusCode::kCudaFatal) return each;
  }
  return {};
}

Status Measurement::Run(const MeasurementInput& input, DeviceResult* result, std::int64_t* first_invalid) {
  Write(input);
  // Not the first time: a kernel that was never launched has yet to be loaded, which a stream that is
  // captured may not bear; and many a shape is measured only once.
  if (runs_ == 1) {
    if (Status status = Capture(); !status.ok()) return status;
  }
  result->graph = graph_ != nullptr;
  Status status = context_->Begin();
  if (status.ok()) {
    status = graph_ != nullptr ? runtime::LaunchGraph(graph_, context_->stream()) : Enqueue();
  }
  // In any case: whatever was given to the stream must be done before the caller has its memory back.
  Status finished = context_->Finish(&result->milliseconds);
  if (!status.ok()) return status;
  if (!finished.ok()) return finished;
  if (runs_ < 2) ++runs_;
  const unsigned long long column = *blocks_->first_invalid.In(host_.data());
  *first_invalid = column == kNoneInvalid ? -1 : static_cast<std::int64_t>(column);
  Read(input, result);
  return {};
}

void Measurement::Read(const MeasurementInput& input, DeviceResult* result) const {
  const std::size_t tasks = plan_.tasks.size();
  const double* const values = blocks_->results.In(host_.data());
  Moments& moments = result->moments;
  moments = {};
  moments.micro_batches = input.micro_batches;
  moments.samples = input.samples;
  const double* const norms = values + plan_.first_norm;
  moments.mean_norm_squared.assign(norms, norms + tasks);
  const double* const deviations = values + plan_.sources.size();
  moments.deviation.assign(deviations, deviations + tasks);
  if (plan_.first_norm > 0) {
    moments.row_deviation.emplace(values, values + plan_.rows);
    moments.row_alignment.emplace(values + plan_.rows, values + 2 * std::int64_t{plan_.rows});
  }
  const double* pair = norms + tasks;
  if (input.inner) {
    std::vector<double>& products = moments.mean_inner.emplace(tasks * tasks);
    for (std::size_t k = 0; k < tasks; ++k) {
      products[k * tasks + k] = norms[k];
      for (std::size_t j = 0; j < k; ++j, ++pair) products[j * tasks + k] = products[k * tasks + j] = *pair;
    }
  }
  if (solves_) result->solved = blocks_->update.Read(host_.data());
}

}  // namespace pike::cuda

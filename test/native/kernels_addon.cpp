// Runs the CUDA kernels of native/cuda in the emulator, for kernels.test.ts. What a GPU's memory would hold
// is here ordinary memory, registered array by array, so that an access beyond any of them is seen;
// workspaces begin as NaN.
#include <napi.h>

#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/update_options.h"
#include "cuda/check_metric.h"
#include "cuda/launch.h"
#include "cuda/plan.h"
#include "emulator/configuration.h"
#include "emulator/defect.h"
#include "emulator/global_memory.h"
#include "emulator/machine.h"

namespace {

using namespace pike;
using namespace pike::cuda;

/// An array of device memory.
template <typename T>
class DeviceArray {
 public:
  DeviceArray(const std::string& name, std::int64_t length, T value)
      : values_(static_cast<std::size_t>(length), value),
        registration_(emulator::RegisterMemory(name, values_.data(), values_.size() * sizeof(T), true)) {}

  T* data() { return values_.data(); }
  Global<T> global() { return {values_.data()}; }
  const std::vector<T>& values() const { return values_; }

 private:
  std::vector<T> values_;
  emulator::Registration registration_;
};

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What JavaScript gave.

template <typename T>
std::vector<T> Numbers(const Napi::Value& list) {
  std::vector<T> numbers;
  const auto array = list.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    numbers.push_back(static_cast<T>(array.Get(i).As<Napi::Number>().DoubleValue()));
  }
  return numbers;
}

bool Truthy(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

double NumberOr(const Napi::Object& object, const char* name, double otherwise) {
  const Napi::Value value = object.Get(name);
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : otherwise;
}

/// Typed arrays as tensors of device memory that kernels may only read.
struct Tensors {
  std::vector<const void*> addresses;
  std::vector<emulator::Registration> registrations;

  Tensors(const std::string& name, const Napi::Array& arrays) {
    for (std::uint32_t i = 0; i < arrays.Length(); ++i) {
      const auto array = arrays.Get(i).As<Napi::TypedArray>();
      const char* const data = static_cast<const char*>(array.ArrayBuffer().Data()) + array.ByteOffset();
      addresses.push_back(data);
      registrations.push_back(
          emulator::RegisterMemory(name + " " + std::to_string(i), data, array.ByteLength(), false));
    }
  }
};

emulator::Configuration ReadConfiguration(const Napi::Object& request) {
  const auto schedules = emulator::StandardSchedules(true);
  const auto index = static_cast<std::size_t>(NumberOr(request, "schedule", 0));
  emulator::Configuration configuration = schedules.at(index).configuration;
  configuration.seed += static_cast<std::uint64_t>(NumberOr(request, "seed", 0));
  return configuration;
}

void Require(const Napi::Env& env, const Status& status) {
  if (!status.ok()) throw Napi::Error::New(env, std::string(CodeName(status.code)) + ": " + status.message);
}

Napi::Float64Array ToArray(const Napi::Env& env, const double* values, std::int64_t length) {
  auto array = Napi::Float64Array::New(env, static_cast<std::size_t>(length));
  if (length > 0) std::memcpy(array.Data(), values, static_cast<std::size_t>(length) * sizeof(double));
  return array;
}

/// Everything that a metric needs, and an empty one where there is none.
class DeviceMetric {
 public:
  explicit DeviceMetric(const Napi::Value& given) : first_invalid_("first invalid", 1, kNone) {
    if (!given.IsObject()) return;
    const auto object = given.As<Napi::Object>();
    tensors_.emplace("preconditioner", object.Get("tensors").As<Napi::Array>());
    for (const int dtype : Numbers<int>(object.Get("dtypes"))) dtypes_.push_back(static_cast<Dtype>(dtype));
  }

  Metric Get() {
    if (!tensors_) return {nullptr, nullptr, first_invalid_.global()};
    return {tensors_->addresses.data(), dtypes_.data(), first_invalid_.global()};
  }
  /// −1 for none.
  double first_invalid() const {
    const unsigned long long column = first_invalid_.values()[0];
    return column == kNone ? -1.0 : static_cast<double>(column);
  }

 private:
  static constexpr unsigned long long kNone = ~0ull;
  std::optional<Tensors> tensors_;
  std::vector<Dtype> dtypes_;
  DeviceArray<unsigned long long> first_invalid_;
};

/// The update of the weights that a launch is to bring along: { options, counts, inputs }.
class DeviceUpdate {
 public:
  DeviceUpdate(const Napi::Value& given, int tasks)
      : tasks_(tasks), outputs_("outputs", int{math::kOutputParts} * tasks + 2, kNaN) {
    if (!given.IsObject()) return;
    const auto object = given.As<Napi::Object>();
    options_ = ReadUpdateOptions(object.Get("options").As<Napi::Object>());
    const auto copy = [](const Napi::Value& value) {
      const auto array = value.As<Napi::Float64Array>();
      return std::vector<double>(array.Data(), array.Data() + array.ElementLength());
    };
    counts_ = copy(object.Get("counts"));
    inputs_ = copy(object.Get("inputs"));
    const auto size = static_cast<std::size_t>(tasks);
    if (counts_.size() != 2 * size || inputs_.size() != int{math::kInputParts} * size)
      throw Napi::RangeError::New(given.Env(), "an update of another number of tasks");
  }

  Update Get() {
    return {options_ ? &*options_ : nullptr, counts_.data(), inputs_.data(), outputs_.global()};
  }
  int solved_tasks() const { return options_ ? tasks_ : 0; }
  void Report(Napi::Object result) const {
    if (!options_) return;
    const std::int64_t count = int{math::kOutputParts} * tasks_;
    result["outputs"] = ToArray(result.Env(), outputs_.values().data(), count);
    result["measured"] = outputs_.values()[static_cast<std::size_t>(count)] != 0;
    result["limited"] = outputs_.values()[static_cast<std::size_t>(count) + 1] != 0;
  }

 private:
  int tasks_;
  std::optional<math::UpdateOptions> options_;
  std::vector<double> counts_;
  std::vector<double> inputs_;
  DeviceArray<double> outputs_;
};

/// Workspace of the two-level tail.
struct DeviceTail {
  DeviceArray<double> partials;
  DeviceArray<double> group_partials;
  DeviceArray<unsigned> tickets;
  Tail tail;

  DeviceTail(const ColumnPlan& columns, int sets, int slots)
      : partials("partials", std::int64_t{sets} * columns.virtual_blocks * slots, kNaN),
        group_partials("group partials", std::int64_t{sets} * columns.groups * slots, kNaN),
        tickets("tickets", std::int64_t{sets} * columns.groups + 1, 0u),
        tail{partials.global(),      group_partials.global(), tickets.global(), sets, slots,
             columns.virtual_blocks, columns.group_size,      columns.groups} {}

  /// Between launches all tickets are zero.
  bool at_rest() const {
    for (const unsigned ticket : tickets.values()) {
      if (ticket != 0) return false;
    }
    return true;
  }
};

MomentsShape ReadShape(const Napi::Object& request) {
  MomentsShape shape;
  shape.dtype = static_cast<Dtype>(static_cast<int>(NumberOr(request, "dtype", 0)));
  shape.lengths = Numbers<std::int64_t>(request.Get("lengths"));
  shape.rows_per_task = Numbers<std::int32_t>(request.Get("rowsPerTask"));
  shape.inner = Truthy(request, "inner");
  return shape;
}

const char* PathName(Path path) {
  return path == Path::kRegisters ? "registers" : path == Path::kTiles ? "tiles" : "welford";
}

/// All that MomentsArguments point to.
class DeviceMoments {
 public:
  DeviceMoments(const MomentsPlan& plan, Metric metric, Update update, Global<double> known_deviations,
                const std::vector<const void*>& rows, int tensors, std::vector<double> row_samples,
                std::vector<float> shares)
      : plan_(plan),
        row_samples_(std::move(row_samples)),
        shares_(std::move(shares)),
        tail_(plan.columns, static_cast<int>(plan.sets.size()), plan.slots),
        results_("results", plan.results(), kNaN),
        finish_{plan.sources.data(),
                results_.global(),
                row_samples_.data(),
                plan.tasks.data(),
                known_deviations,
                static_cast<std::int32_t>(plan.sources.size()),
                plan.first_norm,
                static_cast<std::int32_t>(plan.tasks.size()),
                update},
        arguments_{{plan.columns.chunks.data(), static_cast<std::int32_t>(plan.columns.chunks.size()),
                    plan.columns.chunks_per_block},
                   plan.sets.data(),
                   plan.shapes.data(),
                   plan.measured_tasks.data(),
                   rows.data(),
                   shares_.data(),
                   tensors,
                   metric,
                   tail_.tail,
                   &finish_} {}

  Status Launch(int solved_tasks, int blocks) {
    return LaunchMoments(plan_, arguments_, solved_tasks, blocks, nullptr);
  }
  bool at_rest() const { return tail_.at_rest(); }
  const std::vector<double>& results() const { return results_.values(); }

 private:
  const MomentsPlan& plan_;
  std::vector<double> row_samples_;
  std::vector<float> shares_;
  DeviceTail tail_;
  DeviceArray<double> results_;
  Finish finish_;
  MomentsArguments arguments_;
};

/// The parts of the results as arrays.
void ReportMoments(Napi::Object result, const MomentsPlan& plan, const std::vector<double>& values) {
  const auto env = result.Env();
  const auto tasks = static_cast<std::int64_t>(plan.tasks.size());
  const auto quantities = static_cast<std::int64_t>(plan.sources.size());
  const double* const data = values.data();
  if (plan.first_norm > 0) {
    result["rowDeviation"] = ToArray(env, data, plan.rows);
    result["rowAlignment"] = ToArray(env, data + plan.rows, plan.rows);
  }
  result["meanNormSquared"] = ToArray(env, data + plan.first_norm, tasks);
  result["pairs"] = ToArray(env, data + plan.first_norm + tasks, quantities - plan.first_norm - tasks);
  result["deviation"] = ToArray(env, data + quantities, tasks);
}

/// measure(request): one launch, or `launches` of them one after the other with the same workspace.
Napi::Value Measure(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto request = info[0].As<Napi::Object>();
  const MomentsShape shape = ReadShape(request);
  MomentsPlan plan;
  Require(env, MomentsPlan::Create(shape, &plan));
  auto result = Napi::Object::New(env);
  result["path"] = PathName(plan.path);
  if (plan.path == Path::kWelford) return result;

  const Tensors rows("row", request.Get("tensors").As<Napi::Array>());
  DeviceMetric metric(request.Get("preconditioner"));
  DeviceUpdate update(request.Get("update"), static_cast<int>(plan.tasks.size()));
  const auto samples = Numbers<double>(request.Get("rowSamples"));
  std::vector<float> shares;
  for (const TaskRows& task : plan.tasks) {
    double total = 0;
    for (int i = 0; i < task.count; ++i) total += samples[static_cast<std::size_t>(task.first + i)];
    for (int i = 0; i < task.count; ++i) {
      shares.push_back(static_cast<float>(samples[static_cast<std::size_t>(task.first + i)] / total));
    }
  }
  DeviceMoments moments(plan, metric.Get(), update.Get(), {nullptr}, rows.addresses,
                        static_cast<int>(shape.lengths.size()), samples, shares);
  const emulator::ScopedConfiguration scope(ReadConfiguration(request));
  const int launches = static_cast<int>(NumberOr(request, "launches", 1));
  for (int i = 0; i < launches; ++i) {
    Require(env, moments.Launch(update.solved_tasks(), static_cast<int>(NumberOr(request, "blocks", 0))));
  }
  ReportMoments(result, plan, moments.results());
  update.Report(result);
  result["atRest"] = moments.at_rest();
  result["virtualBlocks"] = plan.columns.virtual_blocks;
  result["firstInvalid"] = metric.first_invalid();
  return result;
}

/// stream(request): every row by itself into the mean of its task, then products of the means or the weights
/// alone.
Napi::Value Stream(const Napi::CallbackInfo& info) {
  const auto env = info.Env();
  const auto request = info[0].As<Napi::Object>();
  const MomentsShape shape = ReadShape(request);
  const auto tasks = static_cast<int>(shape.rows_per_task.size());
  const auto tensors = shape.lengths.size();
  ColumnPlan columns;
  Require(env, ColumnPlan::Create(shape.lengths, kMostVirtualBlocks, &columns));
  const MeanLayout layout = MeanLayout::Of(shape.lengths);
  const Tensors rows("row", request.Get("tensors").As<Napi::Array>());
  const auto samples = Numbers<double>(request.Get("rowSamples"));
  DeviceMetric metric(request.Get("preconditioner"));
  DeviceUpdate update(request.Get("update"), tasks);
  DeviceTail tail(columns, 1, 2);
  DeviceArray<double> state("stream", 2 * tasks, 0.0);  // deviations, norms
  std::vector<std::unique_ptr<DeviceArray<float>>> means;
  for (int k = 0; k < (shape.inner ? tasks : 1); ++k) {
    means.push_back(std::make_unique<DeviceArray<float>>("mean " + std::to_string(k), layout.length, 0.0f));
  }
  const emulator::ScopedConfiguration scope(ReadConfiguration(request));
  const int blocks = static_cast<int>(NumberOr(request, "blocks", 0));

  std::vector<std::int32_t> measured;
  std::size_t row = 0;
  for (int k = 0; k < tasks; ++k) {
    double before = 0;
    for (int i = 0; i < shape.rows_per_task[static_cast<std::size_t>(k)]; ++i, ++row) {
      const double after = before + samples[row];
      const Columns shared_out = {columns.chunks.data(), static_cast<std::int32_t>(columns.chunks.size()),
                                  columns.chunks_per_block};
      if (metric.Get().tensors != nullptr) {
        Require(env, LaunchCheckMetric({shared_out, columns.virtual_blocks, metric.Get()}, blocks, nullptr));
      }
      const WelfordArguments arguments = {shared_out,
                                          rows.addresses.data() + row * tensors,
                                          means[static_cast<std::size_t>(shape.inner ? k : 0)]->data(),
                                          layout.begins.data(),
                                          metric.Get(),
                                          tail.tail,
                                          {state.data() + k},
                                          {state.data() + tasks + k},
                                          static_cast<float>(samples[row] / after),
                                          samples[row] * before / after};
      Require(env, LaunchWelford(shape.dtype, arguments, blocks, nullptr));
      before = after;
      if (i == 0) measured.push_back(k);
    }
  }

  auto result = Napi::Object::New(env);
  if (shape.inner) {
    MomentsPlan plan;
    Require(env, MomentsPlan::CreateForMeans(layout.length, tasks, measured, &plan));
    std::vector<const void*> vectors;
    for (const std::int32_t k : measured) vectors.push_back(means[static_cast<std::size_t>(k)]->data());
    DeviceMoments moments(plan, {nullptr, nullptr, {nullptr}}, update.Get(), {state.data()}, vectors, 1, {},
                          {});
    Require(env, moments.Launch(update.solved_tasks(), blocks));
    ReportMoments(result, plan, moments.results());
    result["atRest"] = tail.at_rest() && moments.at_rest();
  } else {
    if (update.solved_tasks() > 0) {
      const Update block = update.Get();
      Require(env, LaunchSolve({&block, state.global(), tasks}, nullptr));
    }
    result["deviation"] = ToArray(env, state.values().data(), tasks);
    result["meanNormSquared"] = ToArray(env, state.values().data() + tasks, tasks);
    result["atRest"] = tail.at_rest();
  }
  update.Report(result);
  result["firstInvalid"] = metric.first_invalid();
  return result;
}

/// A defect becomes a JavaScript error with its kind as the code.
template <Napi::Value (*call)(const Napi::CallbackInfo&)>
Napi::Value Guarded(const Napi::CallbackInfo& info) {
  try {
    return call(info);
  } catch (const emulator::Defect& defect) {
    auto error = Napi::Error::New(info.Env(), defect.what());
    error.Set("code", Napi::String::New(info.Env(), emulator::KindName(defect.kind)));
    throw error;
  }
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  exports["measure"] = Napi::Function::New(env, Guarded<Measure>);
  exports["stream"] = Napi::Function::New(env, Guarded<Stream>);
  exports["release"] =
      Napi::Function::New(env, [](const Napi::CallbackInfo&) { emulator::machine.stacks.Clear(); });
  const auto list = [&](bool thorough) {
    auto names = Napi::Array::New(env);
    for (const auto& schedule : emulator::StandardSchedules(thorough)) names[names.Length()] = schedule.name;
    return names;
  };
  exports["shortSchedules"] = list(false);
  exports["thoroughSchedules"] = list(true);
  return exports;
}

}  // namespace

NODE_API_MODULE(kernels_addon, Init)

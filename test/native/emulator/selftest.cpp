// The addon of emulator.test.ts: runs a toy kernel with a bug under a schedule.
#include <napi.h>

#include <chrono>
#include <cstring>
#include <string>
#include <vector>

#include "emulator/configuration.h"
#include "emulator/defect.h"
#include "emulator/global_memory.h"
#include "emulator/toy_kernels.h"

namespace {

using emulator::RegisterMemory;
using pike::cuda::Launch;
using toy::Bug;
using toy::kThreads;

constexpr unsigned kBlocks = 7;

struct NamedBug {
  const char* name;
  Bug bug;
};
constexpr NamedBug kBugs[] = {
    {"none", Bug::kNone},
    {"no barrier before read", Bug::kNoBarrierBeforeRead},
    {"no barrier before reuse", Bug::kNoBarrierBeforeReuse},
    {"shared index outside", Bug::kSharedIndexOutside},
    {"shared index of other", Bug::kSharedIndexOfOther},
    {"reads unwritten", Bug::kReadsUnwritten},
    {"writes what others read", Bug::kWritesWhatOthersRead},
    {"same value twice", Bug::kSameValueTwice},
    {"barriers in branches", Bug::kBarriersInBranches},
    {"returns before barrier", Bug::kReturnsBeforeBarrier},
    {"reads beyond tail", Bug::kReadsBeyondTail},
    {"misaligned stream", Bug::kMisalignedStream},
    {"waits forever", Bug::kWaitsForever},
    {"barriers forever", Bug::kBarriersForever},
    {"no barrier before ticket", Bug::kNoBarrierBeforeTicket},
    {"no fence before ticket", Bug::kNoFenceBeforeTicket},
    {"no fence after ticket", Bug::kNoFenceAfterTicket},
    {"ticket not reset", Bug::kTicketNotReset},
    {"partial of other", Bug::kPartialOfOther},
    {"atomic after ticket", Bug::kAtomicAfterTicket},
    {"shuffle in branch", Bug::kShuffleInBranch},
    {"lane returned", Bug::kLaneReturned},
    {"lane not in mask", Bug::kLaneNotInMask},
    {"source not in mask", Bug::kSourceNotInMask},
    {"different shuffles", Bug::kDifferentShuffles},
    {"no syncwarp", Bug::kNoSyncWarp},
    {"shuffle for syncwarp", Bug::kShuffleForSyncWarp},
    {"no barrier in tile", Bug::kNoBarrierInTile},
    {"misaligned tile", Bug::kMisalignedTile},
    {"writes input", Bug::kWritesInput},
    {"vector of other", Bug::kVectorOfOther},
    {"reads own output", Bug::kReadsOwnOutput},
    {"reads stored", Bug::kReadsStored},
    {"beyond row", Bug::kBeyondRow},
};

Bug FindBug(const std::string& name) {
  for (const NamedBug& entry : kBugs) {
    if (name == entry.name) return entry.bug;
  }
  throw std::invalid_argument("no bug " + name);
}

struct alignas(16) Four {
  float values[4];
};

/// Numbers whose sums depend on their order, some of them negative.
std::vector<Four> Values(int count) {
  std::vector<Four> values(static_cast<std::size_t>(count + 3) / 4);
  for (int i = 0; i < count; ++i) {
    values[static_cast<std::size_t>(i) / 4].values[i % 4] = static_cast<float>(i * 37 % 101 - 11) * 0.1f;
  }
  return values;
}

void Check(const pike::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.message);
}

std::vector<double> RunReduce(Bug bug) {
  const int count = static_cast<int>(kBlocks * 2 * kThreads * 4) - 5;
  const std::vector<Four> values = Values(count);
  std::vector<double> sums(kBlocks);
  const auto a =
      RegisterMemory("values", values.data(), static_cast<std::size_t>(count) * sizeof(float), false);
  const auto b = RegisterMemory("sums", sums.data(), sums.size() * sizeof(double), true);
  Check(Launch(toy::Reduce, dim3(kBlocks), kThreads, toy::kReduceShared, nullptr,
               toy::ReduceArguments{values.data()->values, count, {sums.data()}, bug}));
  return sums;
}

std::vector<double> RunReduceOnce(Bug bug) {
  const std::vector<Four> values = Values(static_cast<int>(kBlocks * kThreads));
  std::vector<double> partials((kBlocks + 1) * kThreads, -1e6), sums(kThreads);
  unsigned ticket = 0, least = 1000;
  const auto a = RegisterMemory("values", values.data(), values.size() * sizeof(Four), false);
  const auto b = RegisterMemory("partials", partials.data(), partials.size() * sizeof(double), true);
  const auto c = RegisterMemory("sums", sums.data(), sums.size() * sizeof(double), true);
  const auto d = RegisterMemory("ticket", &ticket, sizeof ticket, true);
  const auto e = RegisterMemory("least", &least, sizeof least, true);
  std::vector<double> results;
  // Twice, as in a training run: the first launch must leave the ticket as it found it.
  for (int launch = 0; launch < 2; ++launch) {
    std::fill(sums.begin(), sums.end(), -1);
    Check(Launch(toy::ReduceOnce, dim3(kBlocks), kThreads, toy::kReduceOnceShared, nullptr,
                 toy::ReduceOnceArguments{
                     values.data()->values, {partials.data()}, {&ticket}, {sums.data()}, {&least}, bug}));
    results.insert(results.end(), sums.begin(), sums.end());
  }
  return results;
}

std::vector<double> RunWarps(Bug bug) {
  const std::vector<Four> values = Values(kThreads);
  std::vector<double> results(kThreads);
  const auto a = RegisterMemory("values", values.data(), values.size() * sizeof(Four), false);
  const auto b = RegisterMemory("results", results.data(), results.size() * sizeof(double), true);
  Check(Launch(toy::Warps, dim3(1), kThreads, toy::kWarpsShared, nullptr,
               toy::WarpsArguments{values.data()->values, {results.data()}, bug}));
  return results;
}

std::vector<double> RunTranspose(Bug bug) {
  constexpr int kCount = toy::kSide * toy::kSide;
  std::vector<Four> values = Values(kCount);
  std::vector<Four> transposed(values.size());
  const auto a = RegisterMemory("values", values.data(), values.size() * sizeof(Four), false);
  const auto b = RegisterMemory("transposed", transposed.data(), transposed.size() * sizeof(Four), true);
  Check(Launch(toy::Transpose, dim3(1), kThreads, toy::kTransposeShared, nullptr,
               toy::TransposeArguments{values.data()->values, transposed.data()->values, bug}));
  const auto* const first = reinterpret_cast<const float*>(transposed.data());
  return std::vector<double>(first, first + kCount);
}

std::vector<double> RunPlaces(Bug bug) {
  const dim3 grid(3, 2);
  std::vector<float> numbers(grid.x * grid.y);
  std::vector<long long> packed(2 * numbers.size());
  unsigned long long least = ~0ull;
  const auto a = RegisterMemory("numbers", numbers.data(), numbers.size() * sizeof(float), true);
  const auto b = RegisterMemory("packed", packed.data(), packed.size() * sizeof(long long), true);
  const auto c = RegisterMemory("least", &least, sizeof least, true);
  Check(Launch(toy::Places, grid, toy::kPlacesThreads, 0, nullptr,
               toy::PlacesArguments{{numbers.data()}, {&least}, {packed.data()}, bug}));
  std::vector<double> results(numbers.begin(), numbers.end());
  results.push_back(__uint_as_float(static_cast<unsigned>(least)));
  for (const long long pair : packed) {
    results.push_back(static_cast<double>(pair >> 32));
    results.push_back(static_cast<double>(pair & 0xffffffff));
  }
  return results;
}

std::vector<double> RunKernel(const std::string& kernel, Bug bug) {
  if (kernel == "reduce") return RunReduce(bug);
  if (kernel == "reduceOnce") return RunReduceOnce(bug);
  if (kernel == "warps") return RunWarps(bug);
  if (kernel == "transpose") return RunTranspose(bug);
  if (kernel == "places") return RunPlaces(bug);
  throw std::invalid_argument("no kernel " + kernel);
}

/// Switches that tests name, off or on as they say.
void Adjust(emulator::Configuration& configuration, const Napi::Object& switches) {
  const auto flag = [&](const char* name, bool& value) {
    if (switches.Has(name)) value = switches.Get(name).As<Napi::Boolean>();
  };
  flag("sharedRaces", configuration.shared_races);
  flag("sharedInitialised", configuration.shared_initialised);
  flag("globalBounds", configuration.global_bounds);
  flag("weakGlobal", configuration.weak_global);
  flag("globalOrdering", configuration.global_ordering);
  flag("strictBarriers", configuration.strict_barriers);
  flag("collectivesOrderMemory", configuration.collectives_order_memory);
  if (switches.Has("stepBudget")) {
    configuration.step_budget =
        static_cast<std::uint64_t>(switches.Get("stepBudget").As<Napi::Number>().Int64Value());
  }
}

/// run(kernel, bug, schedule, switches): the results, or an object {kind, message} in their place.
Napi::Value Run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::size_t schedule = info[2].As<Napi::Number>().Uint32Value();
  emulator::Configuration configuration = emulator::StandardSchedules(true).at(schedule).configuration;
  Adjust(configuration, info[3].As<Napi::Object>());
  const emulator::ScopedConfiguration scope(configuration);
  try {
    const std::vector<double> results =
        RunKernel(info[0].As<Napi::String>(), FindBug(info[1].As<Napi::String>()));
    Napi::Float64Array array = Napi::Float64Array::New(env, results.size());
    std::copy(results.begin(), results.end(), array.Data());
    return array;
  } catch (const emulator::Defect& defect) {
    const Napi::Object object = Napi::Object::New(env);
    object.Set("kind", emulator::KindName(defect.kind));
    object.Set("message", defect.what());
    return object;
  } catch (const std::exception& error) {
    throw Napi::Error::New(env, error.what());
  }
}

/// schedules(thorough): their names.
Napi::Value Schedules(const Napi::CallbackInfo& info) {
  const auto schedules = emulator::StandardSchedules(info[0].As<Napi::Boolean>());
  const Napi::Array names = Napi::Array::New(info.Env(), schedules.size());
  for (std::uint32_t i = 0; i < schedules.size(); ++i) names.Set(i, schedules[i].name);
  return names;
}

/// refusal(blocks, threads, shared): what Launch() says to these.
Napi::Value Refusal(const Napi::CallbackInfo& info) {
  const auto number = [&](std::size_t i) { return info[i].As<Napi::Number>().Uint32Value(); };
  const pike::Status status =
      Launch(toy::Warps, dim3(number(0)), number(1), number(2), nullptr, toy::WarpsArguments{});
  return Napi::String::New(info.Env(), status.message);
}

Napi::Object Initialise(Napi::Env env, Napi::Object exports) {
  exports.Set("run", Napi::Function::New(env, Run));
  exports.Set("schedules", Napi::Function::New(env, Schedules));
  exports.Set("refusal", Napi::Function::New(env, Refusal));
  return exports;
}

}  // namespace

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Initialise)

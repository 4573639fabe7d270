#include "emulator/calls.h"

#include <algorithm>
#include <mutex>

#include "cuda/error.h"
#include "emulator/cuda_errors.h"
#include "emulator/device_memory.h"
#include "emulator/streams.h"

namespace emulator {
namespace {

struct Fault {
  std::string call;
  int error;
  int after;
};

/// Never destroyed: the GPU's thread may still count when the process ends.
struct State {
  std::mutex mutex;
  Machinery machinery;
  std::vector<Fault> faults;
  RuntimeCounters counters;
};
State& Get() {
  static State& state = *new State;
  return state;
}

thread_local int current_device = 0;
thread_local std::int64_t thread_calls = 0;
thread_local std::int64_t thread_waits = 0;

}  // namespace

int CurrentDevice() { return current_device; }
void SetCurrentDevice(int device) { current_device = device; }

int DeviceCount() { return static_cast<int>(CurrentMachinery().devices.size()); }

Machinery CurrentMachinery() {
  std::lock_guard lock(Get().mutex);
  return Get().machinery;
}

void SetMachinery(const Machinery& machinery) {
  std::lock_guard lock(Get().mutex);
  Get().machinery = machinery;
}

void NoteCall() { ++thread_calls; }
void NoteWait() { ++thread_waits; }

pike::Status EnterCall(const char* call, int device, const std::string& what) {
  NoteCall();
  const Machinery machinery = CurrentMachinery();
  if (machinery.driver_error != 0) return ToStatus(machinery.driver_error, what);
  if (machinery.devices.empty()) return ToStatus(kNoDevice, what);
  if (device < 0 || device >= static_cast<int>(machinery.devices.size()))
    return ToStatus(kInvalidDevice, what);
  std::string lost;
  if (const int error = LostBy(device, &lost); error != 0) return ToStatus(error, what, lost);
  return Told(TakeFault(call), device, what);
}

int TakeFault(const std::string& call) {
  std::lock_guard lock(Get().mutex);
  std::vector<Fault>& faults = Get().faults;
  const auto due = std::find_if(faults.begin(), faults.end(),
                                [&](Fault& fault) { return fault.call == call && fault.after-- == 0; });
  if (due == faults.end()) return 0;
  const int error = due->error;
  faults.erase(due);
  return error;
}

void FailNext(const std::string& call, int error, int after) {
  std::lock_guard lock(Get().mutex);
  Get().faults.push_back({call, error, after});
}

pike::Status Told(int error, int device, const std::string& what) {
  if (error == 0) return {};
  if (pike::cuda::IsSticky(error)) LoseDevice(device, error, "");
  std::string lost;
  LostBy(device, &lost);
  return ToStatus(error, what, lost);
}

void NoteWork(Work work) {
  std::lock_guard lock(Get().mutex);
  RuntimeCounters& counters = Get().counters;
  switch (work) {
    case Work::kKernel:
      ++counters.kernels;
      break;
    case Work::kCopy:
      ++counters.copies;
      break;
    case Work::kFill:
      ++counters.fills;
      break;
    case Work::kUser:
      ++counters.user_work;
      break;
  }
}

RuntimeCounters CountCalls() {
  std::lock_guard lock(Get().mutex);
  RuntimeCounters counters = Get().counters;
  counters.calls = thread_calls;
  counters.waits = thread_waits;
  return counters;
}

std::string LastDefect() {
  for (int device = 0; device < DeviceCount(); ++device) {
    std::string message;
    if (LostBy(device, &message) != 0) return message;
  }
  return "";
}

void ResetEmulator() {
  Resume();
  AwaitIdle();
  RestoreDevices();
  SetChance(1, kDefaultPause);
  SetKernelConfiguration({});
  LimitMemory(kDefaultMemory, kDefaultMemory);
  ResetMemoryCounters();
  ResetStreamCounters();
  thread_calls = thread_waits = 0;
  current_device = 0;
  std::lock_guard lock(Get().mutex);
  Get().machinery = {};
  Get().faults.clear();
  Get().counters = {};
}

}  // namespace emulator

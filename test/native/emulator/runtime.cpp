#include "emulator/runtime.h"

#include <cstring>
#include <utility>

#include "cuda/error.h"
#include "emulator/calls.h"
#include "emulator/cuda.h"
#include "emulator/cuda_errors.h"
#include "emulator/device_memory.h"
#include "emulator/machine.h"
#include "emulator/streams.h"

namespace emulator {
namespace {

/// Fails if something lies no longer where it lay when the work was given.
void Expect(const void* address, std::int64_t bytes) {
  if (std::string wrong = WhatIsWrong(address, bytes); !wrong.empty())
    throw DeviceError{kIllegalAddress, "a copy or fill of " + wrong};
}

/// A fault of this name, at the time that work is done.
void ExpectNoFault(const char* name) {
  if (const int error = TakeFault(name); error != 0) throw DeviceError{error, "a test wants it so"};
}

pike::Status GiveKernel(void* stream, std::function<void()> run, std::vector<std::uint64_t> words) {
  const std::string what = "a kernel could not be launched";
  const int device = CurrentDevice();
  if (pike::Status status = EnterCall("Launch", device, what); !status.ok()) return status;
  const auto work = [run = std::move(run), words = std::move(words)] {
    const MemoryAccess access;
    ExpectNoFault("Kernel");
    if (const std::string foreign = FindForeignAddress(words); !foreign.empty())
      throw DeviceError{kIllegalAddress, "a kernel was launched and " + foreign};
    NoteWork(Work::kKernel);
    run();
  };
  return Told(GiveWork(stream, device, work), device, what);
}

/// So that kernels that are launched into a stream come here.
[[maybe_unused]] const bool streams_are_there = [] {
  give_kernel = GiveKernel;
  return true;
}();

}  // namespace

void SetKernelConfiguration(const Configuration& configuration) {
  const MemoryAccess access;  // no kernel runs
  SetConfiguration(configuration);
}

pike::Status GiveUserWork(void* stream, int device, void* to, std::vector<unsigned char> bytes,
                          std::chrono::milliseconds delay) {
  const auto work = [to, bytes = std::move(bytes)] {
    const MemoryAccess access;
    Expect(to, static_cast<std::int64_t>(bytes.size()));
    std::memcpy(to, bytes.data(), bytes.size());
    NoteWork(Work::kUser);
  };
  return Told(GiveWork(stream, device, work, false, delay), device, "the work could not be begun");
}

pike::Status CreateUserStream(int device, void** stream) {
  return Told(CreateStream(device, stream), device, "no stream could be made");
}

}  // namespace emulator

namespace pike::cuda::runtime {

using emulator::CurrentDevice;
using emulator::EnterCall;
using emulator::MemoryAccess;
using emulator::Told;

namespace {

bool IsOfHost(const Pointer& pointer) {
  return pointer.memory == Memory::kHost || pointer.memory == Memory::kPinnedHost;
}

Status AllocateOf(Memory memory, const char* call, std::int64_t bytes, const std::string& what,
                  void** address) {
  const int device = CurrentDevice();
  if (Status status = EnterCall(call, device, what); !status.ok()) return status;
  if (const int error = emulator::ForbidInCapture(); error != 0) return Told(error, device, what);
  void* const made = emulator::AllocateMemory(memory, device, bytes);
  if (made == nullptr) return Told(emulator::kOutOfMemory, device, what);
  *address = made;
  return {};
}

void FreeOf(bool pinned, void* address) {
  emulator::NoteCall();
  if (address == nullptr) return;
  emulator::NoteWait();
  emulator::ForbidInCapture();
  emulator::FreeMemory(pinned, address);
}

}  // namespace

Status Properties(int device, DeviceProperties* properties) {
  Status status = EnterCall("Properties", device, "the device could not be asked what it is");
  if (status.ok()) *properties = emulator::CurrentMachinery().devices[static_cast<std::size_t>(device)];
  return status;
}

Status UseDevice(int device) {
  Status status = EnterCall("UseDevice", device, "the device could not be used");
  if (status.ok()) emulator::SetCurrentDevice(device);
  return status;
}

Status Allocate(std::int64_t bytes, void** address) {
  return AllocateOf(Memory::kDevice, "Allocate", bytes, "memory of the GPU could not be had", address);
}
Status AllocateHost(std::int64_t bytes, void** address) {
  return AllocateOf(Memory::kPinnedHost, "AllocateHost", bytes, "page-locked memory could not be had",
                    address);
}
void Free(void* address) noexcept { FreeOf(false, address); }
void FreeHost(void* address) noexcept { FreeOf(true, address); }

Status TolerateCaptures() { return {}; }

Status CreateStream(StreamHandle* stream) {
  const std::string what = "no stream could be made";
  Status status = EnterCall("CreateStream", CurrentDevice(), what);
  return status.ok() ? Told(emulator::CreateStream(CurrentDevice(), stream), CurrentDevice(), what) : status;
}
void DestroyStream(StreamHandle stream) noexcept {
  emulator::NoteCall();
  if (stream != nullptr) emulator::DestroyStream(stream);
}

Status CreateEvent(EventHandle* event) {
  const std::string what = "no event could be made";
  Status status = EnterCall("CreateEvent", CurrentDevice(), what);
  return status.ok() ? Told(emulator::CreateEvent(CurrentDevice(), event), CurrentDevice(), what) : status;
}
void DestroyEvent(EventHandle event) noexcept {
  emulator::NoteCall();
  if (event != nullptr) emulator::DestroyEvent(event);
}
Status IsCapturing(StreamHandle stream, bool* capturing) {
  *capturing = emulator::IsCapturing(stream, CurrentDevice());
  return {};
}
Status Record(EventHandle event, StreamHandle stream) {
  const std::string what = "an event could not be recorded in a stream";
  const int device = CurrentDevice();
  Status status = EnterCall("Record", device, what);
  return status.ok() ? Told(emulator::RecordEvent(event, stream, device), device, what) : status;
}
Status StreamAwait(StreamHandle stream, EventHandle event) {
  const std::string what = "a stream could not wait for an event";
  const int device = CurrentDevice();
  Status status = EnterCall("StreamAwait", device, what);
  return status.ok() ? Told(emulator::AwaitEvent(stream, device, event), device, what) : status;
}
Status Synchronize(EventHandle event) {
  const std::string what = "the work on the GPU failed";
  const int device = CurrentDevice();
  emulator::NoteWait();
  Status status = EnterCall("Synchronize", device, what);
  return status.ok() ? Told(emulator::SynchronizeEvent(event), device, what) : status;
}
Status SynchronizeStream(StreamHandle stream) {
  const std::string what = "the work on the GPU failed";
  const int device = CurrentDevice();
  emulator::NoteWait();
  Status status = EnterCall("SynchronizeStream", device, what);
  return status.ok() ? Told(emulator::SynchronizeStream(stream, device), device, what) : status;
}
Status Elapsed(EventHandle begin, EventHandle end, double* milliseconds) {
  const std::string what = "no time could be taken";
  const int device = CurrentDevice();
  Status status = EnterCall("Elapsed", device, what);
  return status.ok() ? Told(emulator::ElapsedBetween(begin, end, milliseconds), device, what) : status;
}

Status Copy(void* to, const void* from, std::int64_t bytes, StreamHandle stream) {
  const std::string what = "memory could not be copied";
  const int device = CurrentDevice();
  if (Status status = EnterCall("Copy", device, what); !status.ok()) return status;
  if (bytes == 0) return {};
  for (const void* const address : {static_cast<const void*>(to), from}) {
    if (const std::string wrong = emulator::WhatIsWrong(address, bytes); !wrong.empty() || address == nullptr)
      return emulator::ToStatus(emulator::kInvalidValue, what, wrong);
  }
  const Memory target = emulator::InspectMemory(to).memory;
  const Memory source = emulator::InspectMemory(from).memory;
  const bool unpinned = target == Memory::kHost || source == Memory::kHost;
  if (unpinned && emulator::IsCapturing(stream, device)) {
    emulator::ForbidInCapture();
    return Told(emulator::kCaptureUnsupported, device, what);
  }
  const auto size = static_cast<std::size_t>(bytes);
  // From ordinary memory CUDA takes what there is at once, and is done with ordinary memory before it
  // returns.
  std::vector<unsigned char> staged;
  if (source == Memory::kHost) {
    const auto* const begin = static_cast<const unsigned char*>(from);
    staged.assign(begin, begin + size);
  }
  const bool waits = target == Memory::kHost || (IsOfHost({target, 0}) && IsOfHost({source, 0}));
  if (waits) {
    emulator::NoteWait();
    if (const int error = emulator::ForbidInCapture(); error != 0) return Told(error, device, what);
  }
  const auto work = [to, from, bytes, size, staged = std::move(staged)] {
    const MemoryAccess access;
    emulator::Expect(to, bytes);
    emulator::Expect(from, bytes);
    emulator::ExpectNoFault("Copying");
    std::memmove(to, staged.empty() ? from : staged.data(), size);
    emulator::NoteWork(emulator::Work::kCopy);
  };
  return Told(emulator::GiveWork(stream, device, work, waits), device, what);
}

Status FillZero(void* to, std::int64_t bytes, StreamHandle stream) {
  const std::string what = "memory could not be zeroed";
  const int device = CurrentDevice();
  if (Status status = EnterCall("FillZero", device, what); !status.ok()) return status;
  if (bytes == 0) return {};
  const std::string wrong = emulator::WhatIsWrong(to, bytes);
  if (!wrong.empty() || emulator::InspectMemory(to).memory == Memory::kHost)
    return emulator::ToStatus(emulator::kInvalidValue, what, wrong);
  const auto work = [to, bytes] {
    const MemoryAccess access;
    emulator::Expect(to, bytes);
    std::memset(to, 0, static_cast<std::size_t>(bytes));
    emulator::NoteWork(emulator::Work::kFill);
  };
  return Told(emulator::GiveWork(stream, device, work), device, what);
}

Status Inspect(const void* address, Pointer* pointer) {
  Status status = EnterCall("Inspect", CurrentDevice(), "an address could not be looked up");
  if (status.ok()) *pointer = emulator::InspectMemory(address);
  if (pointer->memory == Memory::kPinnedHost) pointer->device = -1;
  return status;
}

Status BeginCapture(StreamHandle stream) {
  const std::string what = "a graph could not be begun";
  const int device = CurrentDevice();
  Status status = EnterCall("BeginCapture", device, what);
  return status.ok() ? Told(emulator::BeginCapture(stream, device), device, what) : status;
}
Status EndCapture(StreamHandle stream, GraphHandle* graph) {
  const std::string what = "a graph could not be ended";
  const int device = CurrentDevice();
  *graph = nullptr;
  // Whatever else is wrong, the capture ends.
  Status entered = EnterCall("EndCapture", device, what);
  Status status = Told(emulator::EndCapture(stream, device, graph), device, what);
  if (entered.ok()) return status;
  if (*graph != nullptr) emulator::DestroyGraph(std::exchange(*graph, nullptr));
  return entered;
}
Status LaunchGraph(GraphHandle graph, StreamHandle stream) {
  const std::string what = "a graph could not be launched";
  const int device = CurrentDevice();
  Status status = EnterCall("LaunchGraph", device, what);
  return status.ok() ? Told(emulator::LaunchGraph(graph, stream, device), device, what) : status;
}
void DestroyGraph(GraphHandle graph) noexcept {
  emulator::NoteCall();
  if (graph != nullptr) emulator::DestroyGraph(graph);
}

}  // namespace pike::cuda::runtime

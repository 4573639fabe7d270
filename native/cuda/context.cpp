#include "cuda/context.h"

#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace pike::cuda {
namespace {

/// Devices that were lost, and by what: for all threads of the process, since its context is one for all.
class LostDevices {
 public:
  void Add(int device, const Status& status) {
    std::lock_guard lock(mutex_);
    lost_.emplace(device, status);  // the first is the cause
  }
  Status Of(int device) {
    std::lock_guard lock(mutex_);
    const auto found = lost_.find(device);
    return found == lost_.end() ? Status() : found->second;
  }

  static LostDevices& Get() {
    static LostDevices devices;
    return devices;
  }

 private:
  std::mutex mutex_;
  std::map<int, Status> lost_;
};

constexpr std::int64_t kTensorAlignment = 256;

std::int64_t BytesOf(const Layout::Tensor& tensor) {
  return (tensor.length * SizeOf(tensor.dtype) + kTensorAlignment - 1) / kTensorAlignment * kTensorAlignment;
}

std::int64_t BytesOf(const Layout& layout) {
  std::int64_t bytes = 0;
  for (const Layout::Tensor& tensor : layout.tensors()) bytes += BytesOf(tensor);
  return bytes;
}

/// What is wrong with an address, or nothing.
std::string Misplaced(const runtime::Pointer& pointer, int device) {
  switch (pointer.memory) {
    case runtime::Memory::kDevice:
      if (pointer.device == device) return "";
      return "lies on device " + std::to_string(pointer.device) + "; its `device` says " +
             std::to_string(device);
    case runtime::Memory::kManaged:
      return "";
    case runtime::Memory::kPinnedHost:
      return "lies in page-locked memory of the host, not of a GPU";
    case runtime::Memory::kHost:
      break;
  }
  return "is no address of memory that CUDA has allocated, or its memory has been freed";
}

}  // namespace

Status DeviceContext::Open(int device, std::shared_ptr<DeviceContext>* context) {
  if (Status lost = LostDevices::Get().Of(device); !lost.ok()) return lost;
  const std::shared_ptr<DeviceContext> made(new DeviceContext(device));
  Status status = runtime::UseDevice(device);
  if (status.ok()) status = runtime::CreateStream(&made->stream_);
  for (runtime::EventHandle* const event : {&made->caller_, &made->begin_, &made->end_}) {
    if (status.ok()) status = runtime::CreateEvent(event);
  }
  if (status.ok()) *context = made;
  return made->Note(std::move(status));
}

DeviceContext::~DeviceContext() {
  for (const runtime::EventHandle event : {caller_, begin_, end_}) runtime::DestroyEvent(event);
  runtime::DestroyStream(stream_);
}

Status DeviceContext::AwaitCaller(const RowSource& source) {
  Status status;
  for (void* const stream : source.streams) {
    bool capturing = false;
    if (status.ok()) status = runtime::IsCapturing(stream, &capturing);
    if (capturing) {
      return {StatusCode::kInvalidOption,
              "a stream of the gradients is being captured into a graph, so nobody can wait for it; measure "
              "outside of captures"};
    }
    // One event for all: a stream that waits has taken note of it, and it may be recorded anew.
    if (status.ok()) status = runtime::Record(caller_, stream);
    if (status.ok()) status = runtime::StreamAwait(stream_, caller_);
  }
  return status;
}

Status DeviceContext::Begin() { return runtime::Record(begin_, stream_); }

Status DeviceContext::Finish(double* milliseconds) {
  Status status = runtime::Record(end_, stream_);
  if (status.ok()) status = runtime::Synchronize(end_);
  if (status.ok()) return milliseconds == nullptr ? status : runtime::Elapsed(begin_, end_, milliseconds);
  // What was given to the stream before may still be at work, on memory that its owner would now free.
  static_cast<void>(runtime::SynchronizeStream(stream_));
  return status;
}

Status DeviceContext::Alive() const { return LostDevices::Get().Of(device_); }

Status DeviceContext::Note(Status status) const {
  if (status.code != StatusCode::kCudaFatal) return status;
  if (Status lost = Alive(); !lost.ok()) return lost;
  status.message = "GPU " + std::to_string(device_) +
                   " is lost to this process, and only a new process can use it again: " + status.message;
  LostDevices::Get().Add(device_, status);
  return Alive();
}

Status DeviceContext::CheckAddresses(const Layout& layout, const RowPointers& row,
                                     const std::string& name) const {
  for (std::size_t t = 0; t < row.size(); ++t) {
    const Layout::Tensor& tensor = layout.tensors()[t];
    if (tensor.length == 0) continue;
    const char* const first = static_cast<const char*>(row[t]);
    const char* const last = first + tensor.length * SizeOf(tensor.dtype) - 1;
    for (const char* const address : {first, last}) {
      runtime::Pointer pointer;
      if (Status status = runtime::Inspect(address, &pointer); !status.ok()) return status;
      const std::string what = Misplaced(pointer, device_);
      if (what.empty()) continue;
      return {StatusCode::kInvalidOption, "the " + std::string(address == first ? "first" : "last") +
                                              " byte of " + name + ", tensor " + std::to_string(t) + " (" +
                                              std::to_string(tensor.length) + " elements), " + what};
    }
  }
  return {};
}

Status InvalidMetric(const Layout& layout, std::int64_t column) {
  const std::size_t tensor = layout.TensorAt(column);
  return {StatusCode::kInvalidOption, "a preconditioner must be finite and not negative, but element " +
                                          std::to_string(column - layout.tensors()[tensor].begin) +
                                          " of its tensor " + std::to_string(tensor) + " is not"};
}

Status Upload::Run(DeviceContext& context, const Layout& layout, std::vector<RowPointers>* rows,
                   std::optional<TypedRow>* preconditioner) {
  std::int64_t bytes = static_cast<std::int64_t>(rows->size()) * BytesOf(layout);
  if (*preconditioner) bytes += BytesOf((*preconditioner)->layout);
  if (bytes == 0) return {};
  if (Status status = DeviceMemory::Allocate(bytes, &memory_); !status.ok()) return status;
  char* to = memory_.data();
  const auto copy = [&](const Layout& of, RowPointers& row) -> Status {
    for (std::size_t t = 0; t < row.size(); ++t) {
      const Layout::Tensor& tensor = of.tensors()[t];
      if (tensor.length == 0) continue;
      Status status = runtime::Copy(to, row[t], tensor.length * SizeOf(tensor.dtype), context.stream());
      if (!status.ok()) return status;
      row[t] = to;
      to += BytesOf(tensor);
    }
    return {};
  };
  for (RowPointers& row : *rows) {
    if (Status status = copy(layout, row); !status.ok()) return status;
  }
  return *preconditioner ? copy((*preconditioner)->layout, (*preconditioner)->tensors) : Status();
}

}  // namespace pike::cuda

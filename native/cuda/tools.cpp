#include <cstdint>

#include "cuda/context.h"
#include "cuda/engine.h"

namespace pike::cuda {
namespace {

void* Address(std::uint64_t address) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address)); }

}  // namespace

Status DeviceTools::Allocate(int device, std::int64_t bytes, std::uint64_t* address) {
  Status status = runtime::UseDevice(device);
  void* memory = nullptr;
  if (status.ok()) status = runtime::Allocate(bytes, &memory);
  if (status.ok()) *address = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(memory));
  return status;
}

Status DeviceTools::Free(int device, std::uint64_t address) {
  Status status = runtime::UseDevice(device);
  if (status.ok()) runtime::Free(Address(address));
  return status;
}

Status DeviceTools::Copy(int device, std::uint64_t to, std::uint64_t from, std::int64_t bytes,
                         double* milliseconds) {
  std::shared_ptr<DeviceContext> context;
  Status status = DeviceContext::Open(device, &context);
  if (status.ok()) status = context->Begin();
  if (status.ok()) status = runtime::Copy(Address(to), Address(from), bytes, context->stream());
  if (status.ok()) status = context->Finish(milliseconds);
  return status;
}

}  // namespace pike::cuda

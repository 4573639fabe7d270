#include "cuda/runtime.h"

#include <cuda_runtime_api.h>

#include "cuda/error.h"

namespace pike::cuda::runtime {
namespace {

Status Check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // an error that was told must not be found by the next one who asks
  return ErrorStatus(static_cast<int>(error), cudaGetErrorName(error), cudaGetErrorString(error), what);
}

cudaStream_t Of(StreamHandle stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t OfEvent(EventHandle event) { return static_cast<cudaEvent_t>(event); }
std::size_t Size(std::int64_t bytes) { return static_cast<std::size_t>(bytes); }

}  // namespace

Status Properties(int device, DeviceProperties* properties) {
  cudaDeviceProp found;
  Status status = Check(cudaGetDeviceProperties(&found, device), "the device could not be asked what it is");
  if (status.ok()) *properties = {found.name, found.major, found.minor};
  return status;
}

Status UseDevice(int device) { return Check(cudaSetDevice(device), "the device could not be used"); }

Status TolerateCaptures() {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeRelaxed;
  return Check(cudaThreadExchangeStreamCaptureMode(&mode), "the thread could not be set up");
}

Status Allocate(std::int64_t bytes, void** address) {
  return Check(cudaMalloc(address, Size(bytes)), "memory of the GPU could not be had");
}

Status AllocateHost(std::int64_t bytes, void** address) {
  return Check(cudaMallocHost(address, Size(bytes)), "page-locked memory could not be had");
}

// What fails here has failed before, and was told then.
void Free(void* address) noexcept { static_cast<void>(Check(cudaFree(address), "")); }
void FreeHost(void* address) noexcept {
  if (address != nullptr) static_cast<void>(Check(cudaFreeHost(address), ""));
}

Status CreateStream(StreamHandle* stream) {
  cudaStream_t made;
  Status status = Check(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking), "no stream could be made");
  if (status.ok()) *stream = made;
  return status;
}
void DestroyStream(StreamHandle stream) noexcept {
  if (stream != nullptr) static_cast<void>(Check(cudaStreamDestroy(Of(stream)), ""));
}

Status CreateEvent(EventHandle* event) {
  cudaEvent_t made;
  // Who waits sleeps: a spinning thread would take a core from the training.
  Status status = Check(cudaEventCreateWithFlags(&made, cudaEventBlockingSync), "no event could be made");
  if (status.ok()) *event = made;
  return status;
}
void DestroyEvent(EventHandle event) noexcept {
  if (event != nullptr) static_cast<void>(Check(cudaEventDestroy(OfEvent(event)), ""));
}
Status IsCapturing(StreamHandle stream, bool* capturing) {
  cudaStreamCaptureStatus state = cudaStreamCaptureStatusNone;
  Status status =
      Check(cudaStreamIsCapturing(Of(stream), &state), "a stream could not be asked what it does");
  *capturing = state != cudaStreamCaptureStatusNone;
  return status;
}
Status Record(EventHandle event, StreamHandle stream) {
  return Check(cudaEventRecord(OfEvent(event), Of(stream)), "an event could not be recorded in a stream");
}
Status StreamAwait(StreamHandle stream, EventHandle event) {
  return Check(cudaStreamWaitEvent(Of(stream), OfEvent(event), 0), "a stream could not wait for an event");
}
Status Synchronize(EventHandle event) {
  return Check(cudaEventSynchronize(OfEvent(event)), "the work on the GPU failed");
}
Status SynchronizeStream(StreamHandle stream) {
  return Check(cudaStreamSynchronize(Of(stream)), "the work on the GPU failed");
}
Status Elapsed(EventHandle begin, EventHandle end, double* milliseconds) {
  float elapsed = 0;
  Status status =
      Check(cudaEventElapsedTime(&elapsed, OfEvent(begin), OfEvent(end)), "no time could be taken");
  if (status.ok()) *milliseconds = elapsed;
  return status;
}

Status Copy(void* to, const void* from, std::int64_t bytes, StreamHandle stream) {
  return Check(cudaMemcpyAsync(to, from, Size(bytes), cudaMemcpyDefault, Of(stream)),
               "memory could not be copied");
}
Status FillZero(void* to, std::int64_t bytes, StreamHandle stream) {
  return Check(cudaMemsetAsync(to, 0, Size(bytes), Of(stream)), "memory could not be zeroed");
}

Status Inspect(const void* address, Pointer* pointer) {
  cudaPointerAttributes attributes;
  const cudaError_t error = cudaPointerGetAttributes(&attributes, address);
  if (error == cudaErrorInvalidValue) {
    cudaGetLastError();
    *pointer = {};
    return {};
  }
  if (error != cudaSuccess) return Check(error, "an address could not be looked up");
  switch (attributes.type) {
    case cudaMemoryTypeDevice:
      *pointer = {Memory::kDevice, attributes.device};
      break;
    case cudaMemoryTypeManaged:
      *pointer = {Memory::kManaged, attributes.device};
      break;
    case cudaMemoryTypeHost:
      *pointer = {Memory::kPinnedHost, -1};
      break;
    default:
      *pointer = {};
  }
  return {};
}

Status BeginCapture(StreamHandle stream) {
  // Of this thread only: what other threads do with CUDA meanwhile is no concern of the capture.
  return Check(cudaStreamBeginCapture(Of(stream), cudaStreamCaptureModeThreadLocal),
               "a graph could not be begun");
}

Status EndCapture(StreamHandle stream, GraphHandle* graph) {
  *graph = nullptr;
  cudaGraph_t captured = nullptr;
  Status status = Check(cudaStreamEndCapture(Of(stream), &captured), "a graph could not be ended");
  if (status.ok()) {
    cudaGraphExec_t executable;
    status = Check(cudaGraphInstantiate(&executable, captured, 0), "a graph could not be made");
    if (status.ok()) *graph = executable;
  }
  if (captured != nullptr) static_cast<void>(Check(cudaGraphDestroy(captured), ""));
  return status;
}

Status LaunchGraph(GraphHandle graph, StreamHandle stream) {
  return Check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), Of(stream)),
               "a graph could not be launched");
}

void DestroyGraph(GraphHandle graph) noexcept {
  if (graph != nullptr)
    static_cast<void>(Check(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)), ""));
}

}  // namespace pike::cuda::runtime

// All that the host side asks of CUDA, and no more: a seam, so that everything above it also runs where no
// GPU is. Two files implement it: runtime.cpp over the CUDA runtime, and one of the tests, whose device is
// the emulator and whose streams run out of step on purpose.
//
// Host code without CUDA: handles are opaque here. Everything may be called from any thread, and concerns the
// device that the thread uses. What fails gives a Status: kMemory, kCuda, or kCudaFatal when no call to this
// device can succeed any more in this process; see error.h.
#pragma once

#include <cstdint>
#include <string>

#include "core/status.h"

namespace pike::cuda::runtime {

using StreamHandle = void*;  ///< Null is the legacy default stream.
using EventHandle = void*;
using GraphHandle = void*;

struct DeviceProperties {
  std::string name;
  int major = 0;  ///< Compute capability.
  int minor = 0;
};
Status Properties(int device, DeviceProperties* properties);

/// The calling thread may allocate and free while other threads capture graphs, and does not spoil these.
Status TolerateCaptures();

/// From now on the calling thread's calls concern `device`.
Status UseDevice(int device);

/// Memory of the device, aligned to 256 bytes. `bytes` > 0.
Status Allocate(std::int64_t bytes, void** address);
/// Memory of the host that the device can copy from and to while the host goes on (page-locked).
Status AllocateHost(std::int64_t bytes, void** address);
/// Null is allowed. May wait for the device.
void Free(void* address) noexcept;
void FreeHost(void* address) noexcept;

/// A stream that does not wait for the legacy default stream, nor that for it.
Status CreateStream(StreamHandle* stream);
void DestroyStream(StreamHandle stream) noexcept;

Status CreateEvent(EventHandle* event);
void DestroyEvent(EventHandle event) noexcept;
/// Whether what `stream` is given becomes part of a graph of its owner's: nobody else may touch it then.
Status IsCapturing(StreamHandle stream, bool* capturing);
/// The event is there when all that `stream` was given so far is done.
Status Record(EventHandle event, StreamHandle stream);
/// What `stream` is given from now on waits for the event; the host does not.
Status StreamAwait(StreamHandle stream, EventHandle event);
/// The calling thread sleeps until the event is there. Also tells of what went wrong before it.
Status Synchronize(EventHandle event);
/// The same for all that a stream was given, where no event could be recorded.
Status SynchronizeStream(StreamHandle stream);
/// Between two events that are there.
Status Elapsed(EventHandle begin, EventHandle end, double* milliseconds);

/// Either address may be of the device, of the page-locked or of any other memory of the host.
Status Copy(void* to, const void* from, std::int64_t bytes, StreamHandle stream);
Status FillZero(void* to, std::int64_t bytes, StreamHandle stream);

enum class Memory { kHost, kPinnedHost, kDevice, kManaged };
struct Pointer {
  Memory memory = Memory::kHost;
  int device = -1;  ///< Of kDevice and kManaged.
};
/// What an address is the address of; kHost for what CUDA does not know.
Status Inspect(const void* address, Pointer* pointer);

/// What `stream` is given from here on is not done, but becomes a graph.
Status BeginCapture(StreamHandle stream);
/// Ends the capture in any case, also when something in it has failed. `*graph` is null unless ok.
Status EndCapture(StreamHandle stream, GraphHandle* graph);
Status LaunchGraph(GraphHandle graph, StreamHandle stream);
void DestroyGraph(GraphHandle graph) noexcept;

}  // namespace pike::cuda::runtime

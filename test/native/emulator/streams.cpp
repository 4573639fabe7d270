#include "emulator/streams.h"

#include <algorithm>
#include <utility>

#include "emulator/cuda_errors.h"
#include "emulator/gpu.h"

namespace emulator {
namespace {

template <typename T>
std::shared_ptr<T> Find(const std::map<void*, std::shared_ptr<T>>& table, void* handle) {
  const auto found = table.find(handle);
  return found == table.end() ? nullptr : found->second;
}

/// Null if there is no such stream.
std::shared_ptr<Stream> FindStream(Gpu& gpu, void* handle, int device) {
  // cudaStreamLegacy has a number of its own beside 0.
  if (handle != nullptr && handle != reinterpret_cast<void*>(1)) return Find(gpu.streams, handle);
  std::shared_ptr<Stream>& legacy = gpu.legacy_streams[device];
  if (legacy == nullptr) {
    legacy = std::make_shared<Stream>();
    legacy->device = device;
  }
  return legacy;
}

int Break(Stream& stream, int error) {
  stream.capture_broken = true;
  return error;
}

/// Puts an operation at the end of a stream, or of the graph that it captures.
int Give(Gpu& gpu, Stream& stream, Operation operation) {
  if (const int lost = gpu.LostBy(stream.device); lost != 0) return lost;
  if (stream.capture != nullptr) {
    if (stream.capture_broken) return kCaptureInvalidated;
    stream.capture->operations.push_back(std::move(operation));
    return 0;
  }
  stream.operations.push_back(std::move(operation));
  gpu.Start();
  gpu.changed.notify_all();
  return 0;
}

/// Waits for all that a stream was given.
int AwaitAll(Gpu& gpu, std::unique_lock<std::mutex>& lock, Stream& stream) {
  const auto mark = std::make_shared<Mark>();
  const int error = Give(gpu, stream, {Operation::Kind::kRecord, nullptr, mark});
  return error == 0 ? gpu.Await(lock, *mark, stream.device) : error;
}

}  // namespace

int GiveWork(void* stream, int device, std::function<void()> work, bool and_wait,
             std::chrono::milliseconds delay) {
  Gpu& gpu = Gpu::Get();
  std::unique_lock lock(gpu.mutex);
  const std::shared_ptr<Stream> to = FindStream(gpu, stream, device);
  if (to == nullptr) return kInvalidHandle;
  if (to->capture != nullptr && (and_wait || delay.count() > 0)) return Break(*to, kCaptureUnsupported);
  if (const int error = Give(gpu, *to, {Operation::Kind::kWork, std::move(work), nullptr, delay}); error != 0)
    return error;
  return and_wait ? AwaitAll(gpu, lock, *to) : 0;
}

int SynchronizeStream(void* stream, int device) {
  if (const int error = ForbidInCapture(); error != 0) return error;
  Gpu& gpu = Gpu::Get();
  std::unique_lock lock(gpu.mutex);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (in == nullptr) return kInvalidHandle;
  if (in->capture != nullptr) return kCaptureUnsupported;
  return AwaitAll(gpu, lock, *in);
}

int CreateStream(int device, void** stream) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  auto made = std::make_shared<Stream>();
  made->handle = *stream = gpu.NewHandle();
  made->device = device;
  gpu.streams.emplace(*stream, std::move(made));
  return 0;
}

int DestroyStream(void* stream) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Stream> found = Find(gpu.streams, stream);
  if (found == nullptr) return kInvalidHandle;
  // What it was given is still done.
  found->destroyed = true;
  found->capture = nullptr;
  gpu.streams.erase(stream);
  gpu.leaving.push_back(found);
  gpu.changed.notify_all();
  return 0;
}

int CreateEvent(int device, void** event) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  *event = gpu.NewHandle();
  gpu.events.emplace(*event, std::make_shared<Event>(Event{device, nullptr, nullptr}));
  return 0;
}

int DestroyEvent(void* event) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  return gpu.events.erase(event) == 0 ? kInvalidHandle : 0;
}

int RecordEvent(void* event, void* stream, int device) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Event> found = Find(gpu.events, event);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (found == nullptr || in == nullptr || found->device != in->device) return kInvalidHandle;
  if (const int lost = gpu.LostBy(in->device); lost != 0) return lost;
  if (in->capture != nullptr) {
    if (in->capture_broken) return kCaptureInvalidated;
    // Only a point in the order of the graph: launching the graph will not record it.
    found->mark = nullptr;
    found->capturing = in.get();
    return 0;
  }
  auto mark = std::make_shared<Mark>();
  found->mark = mark;
  found->capturing = nullptr;
  return Give(gpu, *in, {Operation::Kind::kRecord, nullptr, std::move(mark)});
}

int AwaitEvent(void* stream, int device, void* event) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Event> found = Find(gpu.events, event);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (found == nullptr || in == nullptr) return kInvalidHandle;
  if (found->capturing != nullptr) {
    // Within one stream it is in order as it is; other streams cannot join a capture here.
    return found->capturing == in.get() ? 0 : kCaptureUnsupported;
  }
  if (in->capture != nullptr) return Break(*in, kCaptureIsolation);
  if (found->mark == nullptr) return 0;
  return Give(gpu, *in, {Operation::Kind::kAwait, nullptr, found->mark});
}

int SynchronizeEvent(void* event) {
  if (const int error = ForbidInCapture(); error != 0) return error;
  Gpu& gpu = Gpu::Get();
  std::unique_lock lock(gpu.mutex);
  const std::shared_ptr<Event> found = Find(gpu.events, event);
  if (found == nullptr) return kInvalidHandle;
  if (found->capturing != nullptr) return kCaptureUnsupported;
  const std::shared_ptr<Mark> mark = found->mark;
  return mark == nullptr ? gpu.LostBy(found->device) : gpu.Await(lock, *mark, found->device);
}

int ElapsedBetween(void* begin, void* end, double* milliseconds) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Event> first = Find(gpu.events, begin);
  const std::shared_ptr<Event> last = Find(gpu.events, end);
  if (first == nullptr || last == nullptr || first->mark == nullptr || last->mark == nullptr)
    return kInvalidHandle;
  if (const int lost = gpu.LostBy(first->device); lost != 0) return lost;
  if (!first->mark->reached || !last->mark->reached) return kNotReady;
  *milliseconds = std::chrono::duration<double, std::milli>(last->mark->time - first->mark->time).count();
  return 0;
}

int BeginCapture(void* stream, int device) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (in == nullptr) return kInvalidHandle;
  if (in->handle == nullptr) return kCaptureUnsupported;
  if (in->capture != nullptr) return kIllegalState;
  in->capture = std::make_shared<Graph>(Graph{in->device, {}});
  in->capturer = std::this_thread::get_id();
  in->capture_broken = false;
  return 0;
}

int EndCapture(void* stream, int device, void** graph) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (in == nullptr) return kInvalidHandle;
  if (in->capture == nullptr) return kIllegalState;
  const std::shared_ptr<Graph> captured = std::exchange(in->capture, nullptr);
  if (const int lost = gpu.LostBy(in->device); lost != 0) return lost;
  if (in->capture_broken) return kCaptureInvalidated;
  *graph = gpu.NewHandle();
  gpu.graphs.emplace(*graph, captured);
  return 0;
}

int LaunchGraph(void* graph, void* stream, int device) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Graph> found = Find(gpu.graphs, graph);
  const std::shared_ptr<Stream> in = FindStream(gpu, stream, device);
  if (found == nullptr || in == nullptr || found->device != in->device) return kInvalidHandle;
  if (in->capture != nullptr) return Break(*in, kCaptureUnsupported);
  if (const int lost = gpu.LostBy(in->device); lost != 0) return lost;
  ++gpu.graphs_launched;
  for (const Operation& operation : found->operations) {
    if (const int error = Give(gpu, *in, operation); error != 0) return error;
  }
  return 0;
}

int DestroyGraph(void* graph) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  return gpu.graphs.erase(graph) == 0 ? kInvalidHandle : 0;
}

int ForbidInCapture() {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  int error = 0;
  for (const auto& [handle, stream] : gpu.streams) {
    if (stream->capture == nullptr || stream->capturer != std::this_thread::get_id()) continue;
    error = Break(*stream, kCaptureUnsupported);
  }
  return error;
}

bool IsCapturing(void* stream, int device) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const std::shared_ptr<Stream> found = FindStream(gpu, stream, device);
  return found != nullptr && found->capture != nullptr;
}

void LoseDevice(int device, int error, const std::string& message) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  gpu.Lose(device, error, message);
}

int LostBy(int device, std::string* message) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const auto found = gpu.lost.find(device);
  if (found == gpu.lost.end()) return 0;
  *message = found->second.message;
  return found->second.error;
}

StreamCounters CountStreams() {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  const auto size = [](const auto& table) { return static_cast<std::int64_t>(table.size()); };
  return {size(gpu.streams), size(gpu.events), size(gpu.graphs), gpu.graphs_launched};
}

void ResetStreamCounters() {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  gpu.graphs_launched = 0;
}

}  // namespace emulator

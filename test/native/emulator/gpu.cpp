#include "emulator/gpu.h"

#include <algorithm>
#include <utility>

#include "emulator/cuda_errors.h"
#include "emulator/defect.h"

namespace emulator {
namespace {

/// What a GPU would say to it, as far as it would notice.
int ErrorOf(Kind kind) {
  switch (kind) {
    case Kind::kGlobalOutOfBounds:
    case Kind::kGlobalReadOnly:
      return kIllegalAddress;
    case Kind::kGlobalMisaligned:
    case Kind::kSharedMisaligned:
      return kMisalignedAddress;
    case Kind::kRunaway:
      return kLaunchTimeout;
    default:
      return kLaunchFailure;
  }
}

/// Ends the thread before what it uses is destroyed at the end of the process.
struct Stopper {
  ~Stopper() { Gpu::Get().Stop(); }
};

/// Longer than anything takes that comes to an end.
constexpr std::chrono::seconds kPatience{60};

}  // namespace

Gpu& Gpu::Get() {
  static Gpu& gpu = *new Gpu;
  return gpu;
}

void* Gpu::NewHandle() { return reinterpret_cast<void*>(next_handle_ += 16); }

void Gpu::Start() {
  if (thread_.joinable() || stopping_) return;
  static Stopper stopper;
  thread_ = std::thread([this] { Work(); });
}

void Gpu::Stop() {
  {
    std::lock_guard lock(mutex);
    stopping_ = true;
  }
  changed.notify_all();
  if (thread_.joinable()) thread_.join();
}

int Gpu::LostBy(int device) const {
  const auto found = lost.find(device);
  return found == lost.end() ? 0 : found->second.error;
}

void Gpu::Lose(int device, int error, const std::string& message) {
  lost.emplace(device, DeviceError{error, message});  // the first is the cause
  for (const std::shared_ptr<Stream>& stream : AllStreams()) {
    if (stream->device != device) continue;
    for (Operation& operation : stream->operations) {
      if (operation.kind == Operation::Kind::kRecord) operation.mark->reached = true;
    }
    stream->operations.clear();
  }
  changed.notify_all();
}

int Gpu::Await(std::unique_lock<std::mutex>& lock, const Mark& mark, int device) {
  const bool reached = changed.wait_for(lock, kPatience, [&] { return mark.reached || LostBy(device) != 0; });
  if (!reached) Lose(device, kLaunchTimeout, "nothing that was waited for has come in a minute");
  return LostBy(device);
}

bool Gpu::IsIdle() const {
  for (const std::shared_ptr<Stream>& stream : AllStreams()) {
    if (stream->running) return false;
    if (stream->operations.empty()) continue;
    const Operation& first = stream->operations.front();
    // Others may wait for what nobody has to do.
    if (first.kind != Operation::Kind::kAwait || first.mark->reached) return false;
  }
  return true;
}

std::vector<std::shared_ptr<Stream>> Gpu::AllStreams() const {
  std::vector<std::shared_ptr<Stream>> all = leaving;
  for (const auto& [handle, stream] : streams) all.push_back(stream);
  for (const auto& [device, stream] : legacy_streams) all.push_back(stream);
  return all;
}

std::uint64_t Gpu::Draw(std::uint64_t below) {
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return (random * 0x2545f4914f6cdd1du >> 11) % below;
}

std::shared_ptr<Stream> Gpu::Pick(Time* wake) {
  std::erase_if(leaving, [](const std::shared_ptr<Stream>& stream) { return stream->operations.empty(); });
  *wake = Time::max();
  if (held) return nullptr;
  const Time now = std::chrono::steady_clock::now();
  std::vector<std::shared_ptr<Stream>> able;
  for (const std::shared_ptr<Stream>& stream : AllStreams()) {
    if (stream->operations.empty()) continue;
    const Operation& first = stream->operations.front();
    if (first.kind == Operation::Kind::kAwait && !first.mark->reached) continue;
    if (first.delay.count() > 0) {
      if (!std::exchange(stream->started, true)) stream->start = now;
      const Time end = stream->start + first.delay;
      if (end > now) {
        *wake = std::min(*wake, end);
        continue;
      }
    }
    able.push_back(stream);
  }
  return able.empty() ? nullptr : able[Draw(able.size())];
}

void Gpu::Work() {
  std::unique_lock lock(mutex);
  while (!stopping_) {
    Time wake;
    if (Pick(&wake) == nullptr) {
      if (wake == Time::max()) {
        changed.wait(lock);
      } else {
        changed.wait_until(lock, wake);
      }
      continue;
    }
    // Sometimes at once, sometimes a little later, sometimes after a nap: then there may be others to pick.
    const std::uint64_t yields = Draw(4);
    const std::uint64_t nap = Draw(3) == 0 ? Draw(static_cast<std::uint64_t>(pause.count()) + 1) : 0;
    lock.unlock();
    for (std::uint64_t i = 0; i < yields; ++i) std::this_thread::yield();
    if (nap > 0) std::this_thread::sleep_for(std::chrono::microseconds(nap));
    lock.lock();
    if (stopping_) return;
    if (const std::shared_ptr<Stream> stream = Pick(&wake); stream != nullptr) Do(lock, *stream);
  }
}

void Gpu::Do(std::unique_lock<std::mutex>& lock, Stream& stream) {
  const Operation operation = std::move(stream.operations.front());
  stream.operations.pop_front();
  stream.started = false;
  if (operation.kind == Operation::Kind::kRecord) {
    operation.mark->time = std::chrono::steady_clock::now();
    operation.mark->reached = true;
  } else if (operation.kind == Operation::Kind::kWork) {
    stream.running = true;
    lock.unlock();
    DeviceError error{0, ""};
    try {
      operation.work();
    } catch (const Defect& defect) {
      error = {ErrorOf(defect.kind), defect.what()};
    } catch (const DeviceError& thrown) {
      error = thrown;
    }
    lock.lock();
    stream.running = false;
    if (error.error != 0) Lose(stream.device, error.error, error.message);
  }
  changed.notify_all();
}

void Hold() {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  gpu.held = true;
}

void Resume() {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  gpu.held = false;
  gpu.changed.notify_all();
}

void AwaitIdle() {
  Gpu& gpu = Gpu::Get();
  std::unique_lock lock(gpu.mutex);
  gpu.changed.wait_for(lock, kPatience, [&] { return gpu.IsIdle(); });
}

void SetChance(std::uint64_t seed, std::chrono::microseconds pause) {
  Gpu& gpu = Gpu::Get();
  std::lock_guard lock(gpu.mutex);
  gpu.random = seed * 0x9e3779b97f4a7c15u | 1;
  gpu.pause = pause;
}

void RestoreDevices() {
  Gpu& gpu = Gpu::Get();
  std::unique_lock lock(gpu.mutex);
  gpu.lost.clear();
}

}  // namespace emulator

// The thread that does what streams are given. For streams.cpp alone.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "emulator/streams.h"

namespace emulator {

/// One per process; never destroyed, because other threads may still wait for it when the process ends. All
/// needs the mutex.
class Gpu {
 public:
  static Gpu& Get();

  std::mutex mutex;
  std::condition_variable changed;  ///< Work was given, or done.

  std::map<void*, std::shared_ptr<Stream>> streams;
  std::map<int, std::shared_ptr<Stream>> legacy_streams;  ///< by device
  std::vector<std::shared_ptr<Stream>> leaving;           ///< destroyed, but not done
  std::map<void*, std::shared_ptr<Event>> events;
  std::map<void*, std::shared_ptr<Graph>> graphs;
  std::int64_t graphs_launched = 0;
  std::map<int, DeviceError> lost;  ///< by device

  bool held = false;
  std::uint64_t random = 1;
  std::chrono::microseconds pause{50};

  void* NewHandle();
  /// Starts the thread, unless it runs.
  void Start();
  /// Stops it after the operation that it is at.
  void Stop();
  int LostBy(int device) const;
  void Lose(int device, int error, const std::string& message);
  /// Waits for the mark. Returns the error that the device was lost by, if it was.
  int Await(std::unique_lock<std::mutex>& lock, const Mark& mark, int device);
  bool IsIdle() const;

 private:
  using Time = std::chrono::steady_clock::time_point;

  std::vector<std::shared_ptr<Stream>> AllStreams() const;
  /// One of the streams that could go on, or null; then `*wake` is when one may because of the time.
  std::shared_ptr<Stream> Pick(Time* wake);
  void Work();
  void Do(std::unique_lock<std::mutex>& lock, Stream& stream);
  std::uint64_t Draw(std::uint64_t below);

  std::thread thread_;
  bool stopping_ = false;
  std::uintptr_t next_handle_ = 0x10000;
};

}  // namespace emulator

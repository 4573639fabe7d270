// One executor per GPU and JavaScript environment: its thread has chosen the device once and for all, and
// owns the engine, which comes to be with the first job.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "addon/executor.h"
#include "cuda/engine.h"

namespace pike {

/// The engine of an executor. Used on its thread only, but for Bury().
class EngineSlot {
 public:
  explicit EngineSlot(int device) : device_(device) {}

  Status Get(cuda::Engine** engine) {
    std::vector<std::unique_ptr<cuda::DeviceMomentStream>> buried;
    {
      std::lock_guard lock(mutex_);
      buried.swap(buried_);
    }
    Status status;
    if (!engine_) status = cuda::Engine::Open(device_, &engine_);
    *engine = engine_.get();
    return status;
  }

  /// On any thread, for a stream that nobody disposed of: to free memory of a GPU may take until it is idle,
  /// so that is left to the next job, or to the end.
  void Bury(std::unique_ptr<cuda::DeviceMomentStream> stream) {
    std::lock_guard lock(mutex_);
    buried_.push_back(std::move(stream));
  }

 private:
  int device_;
  std::unique_ptr<cuda::Engine> engine_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<cuda::DeviceMomentStream>> buried_;
};

struct DeviceExecutor {
  explicit DeviceExecutor(int device) : engine(std::make_shared<EngineSlot>(device)) {}
  Executor executor;
  std::shared_ptr<EngineSlot> engine;
};

class DeviceExecutors {
 public:
  /// Throws where there can be no such device: every one that is named has a thread.
  DeviceExecutor& Of(int device) {
    if (device < 0 || device >= kMost) throw std::invalid_argument("there is no such device");
    std::unique_ptr<DeviceExecutor>& executor = executors_[device];
    if (!executor) executor = std::make_unique<DeviceExecutor>(device);
    return *executor;
  }

  /// On which the driver is asked: no measurement waits for that.
  Executor& OfDriver() {
    if (!driver_) driver_ = std::make_unique<Executor>();
    return *driver_;
  }

 private:
  static constexpr int kMost = 1024;
  std::unique_ptr<Executor> driver_;
  std::map<int, std::unique_ptr<DeviceExecutor>> executors_;
};

}  // namespace pike

// What lives as long as a JavaScript environment (the main thread, or a worker), and what all of them share.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/buffer_pool.h"
#include "addon/device_executors.h"
#include "addon/executor.h"
#include "cpu/thread_pool.h"

namespace pike {

/// One per process, for as long as any environment uses it.
struct SharedResources {
  ThreadPool threads;
  BufferPool buffers;

  static std::shared_ptr<SharedResources> Get();
};

class LeaseTable;

struct Environment {
  std::shared_ptr<SharedResources> shared = SharedResources::Get();
  Executor executor;
  DeviceExecutors devices;
  std::shared_ptr<LeaseTable> leases;   // null before the first
  Napi::FunctionReference staged_call;  // the constructor

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }
};

}  // namespace pike

// What all work on one device shares: the stream that it runs on, the events by which it waits, and whether
// the device still lives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/layout.h"
#include "core/status.h"
#include "cuda/device_memory.h"
#include "cuda/engine.h"
#include "cuda/runtime.h"

namespace pike::cuda {

class DeviceContext {
 public:
  /// For the calling thread, which from now on uses `device`.
  static Status Open(int device, std::shared_ptr<DeviceContext>* context);
  ~DeviceContext();
  DeviceContext(const DeviceContext&) = delete;
  DeviceContext& operator=(const DeviceContext&) = delete;

  int device() const { return device_; }
  /// Ours alone. It does not wait for the legacy default stream: nobody's training stands still for us.
  runtime::StreamHandle stream() const { return stream_; }

  /// What our stream is given from now on waits for all that those of `source` were given.
  Status AwaitCaller(const RowSource& source);
  /// Marks the beginning of the work whose time Finish() tells.
  Status Begin();
  /// Sleeps until our stream has done all that it was given.
  /// @param milliseconds since Begin(); null where nobody asks
  Status Finish(double* milliseconds);

  /// ERR_CUDA_FATAL once any work in this process has lost the device.
  Status Alive() const;
  /// `status`, noted if it says that the device is lost: to be called with whatever a whole call comes to.
  Status Note(Status status) const;

  /// ERR_INVALID_OPTION unless every tensor of `row` lies in memory of this device. Looking an address up
  /// takes about a microsecond: not to be done again for the same ones.
  Status CheckAddresses(const Layout& layout, const RowPointers& row, const std::string& name) const;

 private:
  explicit DeviceContext(int device) : device_(device) {}

  int device_;
  runtime::StreamHandle stream_ = nullptr;
  runtime::EventHandle caller_ = nullptr;
  runtime::EventHandle begin_ = nullptr;
  runtime::EventHandle end_ = nullptr;
};

/// ERR_INVALID_OPTION for the first invalid element of a preconditioner, found at `column`.
Status InvalidMetric(const Layout& layout, std::int64_t column);

/// Where rows of the host lie on the device, for as long as one call needs them.
class Upload {
 public:
  /// Copies `rows` and the preconditioner, if there is one, and has them point to the copies. The memory that
  /// they point to must stay as it is until the stream of `context` has done what it was given.
  Status Run(DeviceContext& context, const Layout& layout, std::vector<RowPointers>* rows,
             std::optional<TypedRow>* preconditioner);

 private:
  DeviceMemory memory_;
};

}  // namespace pike::cuda

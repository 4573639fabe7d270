// Rows for a GPU as JavaScript hands them in: addresses in its memory, or arrays of the host to be copied
// there. The interfaces NativeDeviceRows and NativeDeviceSource of lib/backends/load-addon.ts.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/inputs.h"
#include "cuda/engine.h"

namespace pike {

/// Read and deleted on the JS thread, used on another.
class DeviceRows {
 public:
  /// Reads `count` rows of a layout, a preconditioner of the same lengths or null, the streams to wait for,
  /// and holds the owners for as long as this lives.
  Status Read(const Napi::Object& given, Napi::Value preconditioner, const Layout& layout, std::size_t count,
              std::shared_ptr<SharedResources> shared);

  /// Null for rows of the device.
  Inputs* host() { return host_.get(); }

  /// On any thread: gives back what rows of the host were copied to.
  void ReleaseCopies() noexcept {
    if (host_) host_->Release();
  }

  std::vector<RowPointers> rows;
  std::optional<TypedRow> preconditioner;
  cuda::RowSource source;

 private:
  Status ReadHost(const Napi::Object& given, Napi::Value preconditioner, const Layout& layout,
                  std::size_t count, std::shared_ptr<SharedResources> shared);

  std::unique_ptr<Inputs> host_;
  Napi::ObjectReference owners_;
};

}  // namespace pike

// Arrays that script could take away between two looks at them. JS thread only.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/status.h"

namespace pike {

class WatchedArrays {
 public:
  /// Array `index` of a list that script does not know, whose elements lie at `address`. Returns its number.
  std::size_t Add(Napi::Array list, std::uint32_t index, const void* address, std::int64_t bytes);

  std::size_t size() const { return arrays_.size(); }
  /// An error if one of them no longer lies where it was. No script runs between the end of this call and the
  /// next of Node-API.
  Status Look(const std::vector<std::size_t>& numbers) const;
  /// Lets go of the arrays.
  void Clear() { lists_.clear(); }

 private:
  struct Watched {
    std::size_t list;
    std::uint32_t index;
    const void* address;
    std::int64_t bytes;
  };

  static bool IsInPlace(Napi::Env env, Napi::Value array, const Watched& watched);
  static Status Detached();

  std::vector<Napi::ObjectReference> lists_;
  std::vector<Watched> arrays_;
};

}  // namespace pike

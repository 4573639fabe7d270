// Gradients as JavaScript hands them in. A reference keeps an ArrayBuffer alive but not in place: while
// another thread reads it, script may transfer it away. So its content is copied, here and now, on the JS
// thread. Only a SharedArrayBuffer stays where it is, and is read in place later.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/environment.h"
#include "core/layout.h"
#include "core/memory.h"
#include "core/status.h"

namespace pike {

/// Dtypes from a Uint8Array, lengths from a Float64Array (integers up to 2^53).
std::optional<Layout> ReadLayout(Napi::Value dtypes, Napi::Value lengths);

/// The rows of one job, and whatever keeps their memory in place.
class Inputs {
 public:
  explicit Inputs(std::shared_ptr<SharedResources> shared) : shared_(std::move(shared)) {}
  Inputs(Inputs&&) = default;

  /// Reads `count` rows of a layout from a flat array of all their tensors.
  Status ReadRows(Napi::Array tensors, const Layout& layout, std::size_t count);
  /// Reads { dtypes, tensors } of the same lengths as `layout`, or null.
  Status ReadPreconditioner(Napi::Value value, Napi::Value lengths);
  /// Copies what cannot stay in place. Pointers are good off the JS thread from here on, and not before.
  Status Secure(int threads);

  /// On any thread: gives back the copies.
  void ReleaseCopies() noexcept;

  std::vector<RowPointers> rows;
  std::optional<TypedRow> preconditioner;

 private:
  struct Copy {
    const void** pointer;  // into rows or preconditioner
    std::int64_t bytes;
  };

  Status ReadRow(const Napi::Array& tensors, std::size_t first, const Layout& layout, const std::string& name,
                 RowPointers* row);

  std::shared_ptr<SharedResources> shared_;
  std::vector<Copy> to_copy_;
  AlignedBuffer copies_;
  std::vector<Napi::ObjectReference> kept_alive_;  // arrays that hold shared memory
  bool any_shared_ = false;
};

}  // namespace pike

// Gradients as JavaScript hands them in. A reference keeps an ArrayBuffer alive but not in place: while
// another thread reads it, script may transfer it away. So its content is copied on the JS thread. Only what
// stays where it is whatever script does is read in place: a SharedArrayBuffer, and memory that the addon
// owns.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "addon/environment.h"
#include "addon/owned_memory.h"
#include "addon/sliced_copy.h"
#include "core/layout.h"
#include "core/status.h"

namespace pike {

/// The numbers of a typed array of this type; nothing if `value` is another thing. They are copied at once:
/// what script does later, in a getter for instance, changes them no more.
template <typename Element>
std::optional<std::vector<Element>> ReadNumbers(Napi::Value value, napi_typedarray_type type) {
  napi_typedarray_type actual;
  std::size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(value.Env(), value, &actual, &length, &data, nullptr, nullptr) != napi_ok ||
      actual != type)
    return std::nullopt;
  const auto* const first = static_cast<const Element*>(data);
  return length == 0 ? std::vector<Element>() : std::vector<Element>(first, first + length);
}

/// Dtypes from a Uint8Array, lengths from a Float64Array (integers up to 2^53).
std::optional<Layout> ReadLayout(Napi::Value dtypes, Napi::Value lengths);

/// The rows of one job, and whatever keeps their memory in place.
class Inputs {
 public:
  explicit Inputs(std::shared_ptr<SharedResources> shared) : copy(std::move(shared)) {}
  Inputs(Inputs&&) = default;

  /// Reads `count` rows of a layout from a flat array of all their tensors.
  Status ReadRows(Napi::Array tensors, const Layout& layout, std::size_t count);
  /// Reads { dtypes, tensors } of the same lengths as `layout`, or null.
  Status ReadPreconditioner(Napi::Value value, Napi::Value lengths);

  /// On any thread: lets go of the memory that rows and preconditioner lie in.
  void Release() noexcept;

  std::vector<RowPointers> rows;
  std::optional<TypedRow> preconditioner;
  /// Of what cannot be read in place. Once begun, the pointers above are final; once done, they may be read
  /// off the JS thread.
  SlicedCopy copy;

 private:
  Status ReadRow(const Napi::Array& tensors, std::size_t first, const Layout& layout, const std::string& name,
                 RowPointers* row);

  void KeepShared(Napi::Env env, napi_value array);

  std::vector<std::shared_ptr<OwnedMemory>> owned_;
  Napi::ObjectReference shared_;  // a list, unknown to script, of the arrays in shared memory
  std::uint32_t shared_count_ = 0;
};

}  // namespace pike

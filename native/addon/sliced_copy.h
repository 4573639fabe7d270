// Copies of arrays that script could take away while another thread reads them. They are made on the JS
// thread, where nobody can, in slices between which the event loop turns: each slice looks first whether the
// arrays that it reads are still what they were.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "addon/environment.h"
#include "addon/stages.h"
#include "addon/watched_arrays.h"
#include "core/memory.h"
#include "core/status.h"

namespace pike {

class SlicedCopy final : public Stages {
 public:
  explicit SlicedCopy(std::shared_ptr<SharedResources> shared);
  SlicedCopy(SlicedCopy&&) noexcept;
  ~SlicedCopy() override;

  /// Adds array `index` of a list that script does not know, whose elements lie at `**pointer`.
  void Add(Napi::Array list, std::uint32_t index, const void** pointer, std::int64_t bytes);
  /// Makes room. From here on all the pointers are those of the copies.
  Status Begin();
  Status Continue() override;
  Status Finish() override;
  bool done() const override { return at_ == copies_.size(); }
  /// For room that has been touched.
  bool waiting() const override { return waiting_; }
  void Release() noexcept override;

  /// What is to be copied, for those who would rather read it where it is: by the pointers.
  bool empty() const { return copies_.empty(); }
  std::unordered_map<const void* const*, std::size_t> numbers() const;
  /// Nothing is to be copied any more.
  WatchedArrays Take();

 private:
  struct Copy {
    const void** pointer;
    const char* from;
    std::int64_t bytes;
    std::int64_t to;  // in the room
  };
  class Warmer;

  /// Copies what lies before `end` in the room, for as long as the clock allows if it is `timed`.
  Status CopyUntil(std::int64_t end, bool timed);

  std::shared_ptr<SharedResources> shared_;
  WatchedArrays arrays_;  // as many as copies
  std::vector<Copy> copies_;
  AlignedBuffer room_;
  bool fresh_ = false;              // no page of the room has been touched yet
  std::unique_ptr<Warmer> warmer_;  // null where the room has been used before
  std::size_t at_ = 0;              // the copy that is being made
  std::int64_t offset_ = 0;         // how many of its bytes have been
  bool waiting_ = false;
};

}  // namespace pike

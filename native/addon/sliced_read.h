// A pass over rows that script could take away while another thread reads them, without a copy: as long as
// this function has not returned, nobody can. So the JS thread takes part in every slice, and each slice
// looks first whether the arrays that it reads are still what they were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "addon/environment.h"
#include "addon/sliced_copy.h"
#include "addon/stages.h"
#include "addon/watched_arrays.h"
#include "core/cancellation.h"
#include "core/moments.h"
#include "cpu/moments.h"

namespace pike {

class SlicedRead final : public Stages {
 public:
  /// Takes over the arrays that were to be copied into `input`, which must outlive it. Throws std::bad_alloc.
  SlicedRead(std::shared_ptr<SharedResources> shared, const MomentsInput& input, SlicedCopy& copy);

  Status Continue() override;
  Status Finish() override;
  bool done() const override { return done_; }
  void Release() noexcept override {}

  /// After the end, on any thread.
  Status ToMoments(const Cancellation& cancellation, Moments* moments);

 private:
  Status Look(const std::vector<MomentsRun::Range>& ranges) const;

  std::shared_ptr<SharedResources> shared_;
  const MomentsInput& input_;
  WatchedArrays arrays_;
  /// By row and tensor, then those of the preconditioner: which array, or −1.
  std::vector<std::int64_t> numbers_;
  MomentsRun run_;
  Cancellation never_;  // script stops a call between slices
  bool done_ = false;
};

}  // namespace pike

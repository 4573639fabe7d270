// Which memory operations come before which, other than by the barrier of a block: among the lanes of a warp
// by
// __syncwarp(), among blocks by fences and atomics.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace emulator {

/// The order that __syncwarp() gives the lanes of a warp. Time is counted in calls of __syncwarp() by any
/// lanes; it never goes back, so that nothing has to be forgotten when a warp begins anew.
class LaneOrder {
 public:
  std::uint32_t now() const { return now_; }

  /// Whether what `other` did at `time` comes before what `lane` does now.
  bool Knows(unsigned lane, unsigned other, std::uint32_t time) const { return time < known_[lane][other]; }

  /// All that the lanes of `mask` have done comes before all that they will do.
  void Synchronise(std::uint32_t mask) {
    ++now_;
    std::uint32_t joint[32] = {};
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((mask >> lane & 1) == 0) continue;
      for (unsigned other = 0; other < 32; ++other) {
        joint[other] = std::max(joint[other], known_[lane][other]);
      }
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((mask >> lane & 1) != 0) joint[lane] = now_;
    }
    for (unsigned lane = 0; lane < 32; ++lane) {
      if ((mask >> lane & 1) != 0) std::copy_n(joint, 32, known_[lane]);
    }
  }

 private:
  std::uint32_t now_ = 0;
  std::uint32_t known_[32][32] = {};  // up to when a lane knows what another did
};

/// Up to which of its fences each block's memory operations are known. Empty: of none.
class BlockClock {
 public:
  bool empty() const { return fences_.empty(); }
  void Clear() { fences_.clear(); }
  std::size_t size() const { return fences_.size(); }
  std::uint32_t Get(std::uint32_t block) const { return fences_[block]; }
  bool Knows(std::uint32_t block, std::uint32_t fence) const {
    return block < fences_.size() && fence <= fences_[block];
  }
  void Learn(std::uint32_t block, std::uint32_t fence) {
    if (fences_.size() <= block) fences_.resize(block + 1);
    fences_[block] = std::max(fences_[block], fence);
  }
  void Join(const BlockClock& other) {
    if (fences_.size() < other.fences_.size()) fences_.resize(other.fences_.size());
    for (std::size_t i = 0; i < other.fences_.size(); ++i)
      fences_[i] = std::max(fences_[i], other.fences_[i]);
  }

 private:
  std::vector<std::uint32_t> fences_;
};

}  // namespace emulator

// Threads that share a loop, each on a processor of its own.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace pike {

/// Kernels wake a thread on the processor of whoever wakes it when they take the others for busy; under KVM
/// they do so although those are asleep, and a loop of two threads then runs on one processor for as long as
/// 10 ms (measured: 160 MB are read in 10 ms where 4 ms suffice). So threads tell one another where they are,
/// and who finds another there before it leaves. Does nothing but on Linux.
class OwnProcessors {
 public:
  /// Thread number `slot` of the loop says where it is, and leaves if one of a lower number is there. Call it
  /// at the start and from time to time. It stays within the processors that it may use.
  void Settle(int slot);

 private:
  static constexpr std::size_t kMost = 128;   ///< Threads beyond these go where they like.
  std::array<std::atomic<int>, kMost> at_{};  ///< The number of each slot's processor + 1; 0: none yet.
};

}  // namespace pike

// What is remembered of four bytes of shared memory: who wrote them last, and who has read them since the
// last barrier.
#pragma once

#include <cstdint>

namespace emulator {

/// Times are pairs: the interval between barriers of the block, and in it the time of the warp (LaneOrder).
struct Shadow {
  std::uint32_t write_interval = 0;  // 0: never
  std::uint32_t write_time = 0;
  std::uint32_t read_interval = 0;
  std::uint32_t read_time = 0;
  std::uint32_t read_lanes = 0;  // all readers are in one warp, or
  std::uint16_t read_warp = 0;
  bool read_by_warps = false;      // in several, of which read_lanes and read_warp describe the first
  std::uint16_t other_reader = 0;  // a reader in another one of them
  std::uint16_t writer = 0;
};

}  // namespace emulator

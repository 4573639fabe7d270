// Where the kernel of few rows (register_moments.h) keeps its sums, for K tasks of at most M rows each. A
// plan on the host and the kernel read the same numbers.
#pragma once

#include <cstdint>

#include "cuda/tables.h"
#include "math/platform.h"

namespace pike::cuda {

struct RegisterLayout {
  // Sums, in a thread as in the partial sums of a virtual block.
  int deviation;  ///< [K][M] (g − ḡ)²
  int alignment;  ///< [K][M] (g − ḡ)ḡ
  int norm;       ///< [K] ḡ²
  int pairs;      ///< [K(K − 1)/2] ḡ_j ḡ_k, j < k: (0,1), (0,2), (1,2), …
  int count;

  // Shared memory, in bytes from its beginning.
  unsigned
      addresses_at;  ///< [kWarps][K][M] where rows begin, as 64-bit numbers; before it the sums of every warp
  unsigned shares_at;  ///< [K][M] floats
  unsigned flags_at;   ///< two words
  unsigned bytes;

  PIKE_HD static constexpr RegisterLayout Of(int tasks, int rows) {
    RegisterLayout layout = {};
    layout.alignment = tasks * rows;
    layout.norm = 2 * tasks * rows;
    layout.pairs = layout.norm + tasks;
    layout.count = layout.pairs + tasks * (tasks - 1) / 2;
    layout.addresses_at = static_cast<unsigned>(kWarps * layout.count) * 8;
    layout.shares_at = layout.addresses_at + static_cast<unsigned>(kWarps * tasks * rows) * 8;
    layout.flags_at = layout.shares_at + static_cast<unsigned>(tasks * rows) * 4;
    layout.bytes = layout.flags_at + 2 * 4;
    return layout;
  }
};

/// The instances of the kernel: K = 1, 2 with M = 2, 4, 8, and K = 3, 4 with M = 2, 4. Several tasks where
/// there are products, else each by itself.
inline constexpr int kMostRegisterTasks = 4;
constexpr int MostRegisterRows(int tasks) { return tasks <= 2 ? 8 : 4; }

/// M of the instance that takes `rows` rows per task.
constexpr int RegisterRows(int rows) { return rows <= 2 ? 2 : rows <= 4 ? 4 : 8; }

}  // namespace pike::cuda

// What the kernels are told: plain structures of addresses in device memory and numbers. Everything that
// depends on shapes alone is laid out once by the plan (plan.h); a launch adds where the gradients lie.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "cuda/platform.h"
#include "cuda/tables.h"
#include "math/layout.h"

namespace pike::cuda {

/// What `first_invalid` is before an invalid element is met.
inline constexpr unsigned long long kNoneInvalid = ~0ull;

/// Diagonal D of the metric, per tensor; no tensors for the plain product.
struct Metric {
  const void* const* tensors;
  const Dtype* dtypes;
  Global<unsigned long long> first_invalid;  ///< Lowest column whose element is negative or not finite.
};

/// Where partial sums go and how blocks find out which of them is the last; see tail.h.
struct Tail {
  Global<double> partials;        ///< [sets][virtual_blocks][slots]
  Global<double> group_partials;  ///< [sets][groups][slots]
  Global<unsigned> tickets;       ///< [sets · groups + 1], zero between launches
  std::int32_t sets;
  std::int32_t slots;  ///< Sums per virtual block.
  std::int32_t virtual_blocks;
  std::int32_t group_size;
  std::int32_t groups;
};

/// The columns, and how they are shared out: virtual block v takes the chunks from v · chunks_per_block on.
/// How many virtual blocks there are depends on the shapes alone, so that results do not depend on the GPU.
struct Columns {
  const Chunk* chunks;
  std::int32_t chunk_count;
  std::int32_t chunks_per_block;
};

/// The next weights, solved for in the same launch; without options nothing is solved. Layouts:
/// math/layout.h.
struct Update {
  const math::UpdateOptions* options;
  const double* counts;    ///< [2][tasks] m_k, n_k
  const double* inputs;    ///< [kInputParts][tasks]
  Global<double> outputs;  ///< [kOutputParts][tasks], then `measured` and `limited`, 0 or 1
};

/// From sums to what is asked for, in the block that finishes last; see finish.h.
struct Finish {
  const std::int64_t* sources;      ///< [quantities] where in group_partials one begins; −1: it is 0
  Global<double> results;           ///< [quantities], then [tasks] deviations
  const double* row_samples;        ///< [rows] s_ki
  const TaskRows* task_rows;        ///< [tasks], also those without rows
  Global<double> known_deviations;  ///< [tasks] where rows are given means; else null
  std::int32_t quantities;
  std::int32_t first_norm;  ///< Which quantity is ‖ḡ_0‖²; those of the other tasks follow.
  std::int32_t tasks;
  Update update;
};

/// All of one measurement in one launch.
struct MomentsArguments {
  Columns columns;
  const Set* sets;
  const TileShape* shapes;    ///< [sets], for the tiled kernel
  const TaskRows* task_rows;  ///< Of tasks that have rows.
  const void* const* rows;    ///< [row][tensor]
  const float* shares;        ///< [row] s_ki / n_k
  std::int32_t tensors;
  Metric metric;
  Tail tail;
  const Finish* finish;
};

}  // namespace pike::cuda

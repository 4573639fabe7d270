// The sums of lib/statistics/statistics.ts (`Moments`) over all rows of a measurement, in one pass over
// memory.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/cancellation.h"
#include "core/layout.h"
#include "core/status.h"
#include "cpu/thread_pool.h"

namespace pike {

struct MomentsInput {
  Layout layout;
  std::vector<RowPointers> rows;            ///< Task by task.
  std::vector<std::int32_t> rows_per_task;  ///< m_k; sums to the number of rows.
  std::vector<double> samples;              ///< s_ki > 0, one per row.
  std::optional<TypedRow> preconditioner;   ///< Same tensor lengths as `layout`.
  bool inner = false;                       ///< Form the products of the means.
  bool row_scalars = false;                 ///< Form the two scalars per row.
  int threads = 1;
};

/// Names and meanings as in lib/statistics/statistics.ts.
struct Moments {
  std::vector<std::int32_t> micro_batches;
  std::vector<double> samples;
  std::vector<double> deviation;
  std::vector<double> mean_norm_squared;
  std::optional<std::vector<double>> mean_inner;
  std::optional<std::vector<double>> row_deviation;
  std::optional<std::vector<double>> row_alignment;
};

/// Changes nothing but `*moments`, and that only on success. Throws std::bad_alloc.
Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments);

}  // namespace pike

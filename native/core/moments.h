// What a measurement is made of, and the sums of lib/statistics/statistics.ts (`Moments`) that come out of
// it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/layout.h"

namespace pike {

struct MomentsInput {
  Layout layout;
  std::vector<RowPointers> rows;            ///< Task by task.
  std::vector<std::int32_t> rows_per_task;  ///< m_k; sums to the number of rows.
  std::vector<double> samples;              ///< s_ki > 0, one per row.
  std::optional<TypedRow> preconditioner;   ///< Same tensor lengths as `layout`.
  bool inner = false;                       ///< Form the products of the means.
  bool row_scalars = false;                 ///< Form the two scalars per row.
  int threads = 1;                          ///< Of the CPU.
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

}  // namespace pike

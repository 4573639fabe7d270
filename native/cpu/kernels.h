// The inner loops, over one block of columns that stays in cache, and the table of them that each instruction
// set fills in (kernels_*.cpp). Sums of floats are chains of at most kLongestChain terms, their lanes are
// added as doubles; sums of doubles are doubles.
//
// Beyond `count`, vectors of means and of scaled rows hold zeros up to the next multiple of two vectors, of
// which kPadding elements are a multiple: kernels write them, and read them.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "cpu/instruction_set.h"

namespace pike {

/// Terms of a float sum before it is added up as doubles: half of what the promised error allows, because
/// forming the terms takes its share.
inline constexpr std::int64_t kLongestChain = 128;

/// Elements of two of the widest vectors.
inline constexpr std::int64_t kPadding = 32;

constexpr std::int64_t Padded(std::int64_t count) { return (count + kPadding - 1) / kPadding * kPadding; }

/// Rows that any kernel takes at once; of a task that has more than Arithmetic::most_rows, kPartRows.
inline constexpr int kMostRowsAtOnce = 8;
inline constexpr int kPartRows = 4;
/// Tasks of so many rows, the fewest that there are as a rule, are taken several at a time: memory is read
/// faster in four or eight places at once than in two.
inline constexpr int kPairRows = 2;

/// Some rows of one task.
template <typename Element>
struct RowsBlock {
  const void* const* rows;       ///< Where the block begins in each.
  std::int64_t count;            ///< Columns, at least one.
  const Element* roots;          ///< √D, by which every row is multiplied, if there is a metric.
  const Element* weight;         ///< s_ki / n_k of each row.
  Element* mean;                 ///< ḡ_k
  std::int64_t mean_stride = 0;  ///< From the mean of one task to that of the next, if there are several.
  /// As many addresses as rows, of what will be read after them, to be fetched meanwhile.
  const void* const* coming = nullptr;
  double* deviation = nullptr;  ///< Out, per row: ‖g_i − ḡ‖².
  double* alignment = nullptr;  ///< Out, per row, if asked for: ⟨g_i − ḡ, ḡ⟩.
  double* norm = nullptr;       ///< Out: ‖ḡ‖².
};

/// Kernels for rows of one dtype, with a metric or without; the first index is the number of rows − 1. Those
/// without may put the columns of a mean in another order, all of them in the same.
template <typename Element>
struct RowKernels {
  using Kernel = void (*)(const RowsBlock<Element>&);
  /// All rows of a task: mean, norm, deviations and, at [.][1], alignments.
  Kernel whole[kMostRowsAtOnce][2] = {};
  /// The same of two tasks, or at [1] of four, of kPairRows rows each; null where that is more than
  /// most_rows.
  Kernel pairs[2][2] = {};
  /// Deviations, and alignments at [.][1], from a mean that is there.
  Kernel scores[kPartRows][2] = {};
  /// The weighted sum of these rows in place of the mean or, at [.][1], added to it.
  Kernel sum[kPartRows][2] = {};
};

/// Columns of one micro-batch, which go into the running mean of its task, at most.
inline constexpr std::int64_t kMostUpdateColumns = 1024;

template <typename Element>
struct UpdateBlock {
  const void* gradient;
  Element* mean;       ///< Not padded.
  std::int64_t count;  ///< At most kMostUpdateColumns.
  Element share;       ///< s/n'
};

struct UpdateSums {
  double step = 0;  ///< ‖δ‖², δ = g − mean before the update.
  double norm = 0;  ///< ‖mean‖² after it, of the mean as stored.
};

template <typename Element>
using UpdateKernel = UpdateSums (*)(const UpdateBlock<Element>&);

/// Vectors to be multiplied with one another.
template <typename Element>
struct ProductsBlock {
  const Element* const* vectors;  ///< Padded.
  std::int64_t vector_count;
  std::int64_t count;  ///< Columns.
  /// Rows that will be read next, to be fetched meanwhile, as many as there are tiles: else memory would
  /// rest. At least one.
  const void* const* coming;
  std::int64_t coming_count;
  std::int64_t coming_offset;  ///< In bytes, from there.
  std::int64_t coming_step;    ///< Bytes per column.
};

/// What does not depend on the dtype of the rows.
template <typename Element>
struct Arithmetic {
  int most_rows;              ///< That may be all of a task's.
  std::int64_t most_columns;  ///< Of a block.
  /// ‖x‖²
  double (*norm)(const Element* x, std::int64_t count);
  /// Products of every pair of vectors, in the order of ForEachPair.
  void (*products)(const ProductsBlock<Element>& block, double* out);
};

/// For dtypes whose elements are floats.
struct FloatSource {
  /// Whether there are kernels that read it where it is; else only the last two are there.
  bool in_place;
  RowKernels<float> rows[2];       ///< At [1] in a metric.
  UpdateKernel<float> begin_mean;  ///< mean ← g
  UpdateKernel<float> move_mean;   ///< mean ← mean + share·δ
  /// out ← x·factor, of ones if it is null; fetches what lies at `coming` meanwhile.
  void (*scale)(const void* x, const float* factor, const void* coming, std::int64_t count, float* out);
  /// out ← √x, unless `out` is null; whether all of x is finite and not negative.
  bool (*roots)(const void* x, std::int64_t count, float* out);
};

struct Kernels {
  InstructionSet instruction_set;
  int tile;  ///< Columns of the rectangles of `products`.
  Arithmetic<float> floats;
  Arithmetic<double> doubles;
  FloatSource float32, bfloat16, float16;
  RowKernels<double> float64[2];
  UpdateKernel<double> begin_mean, move_mean;

  /// Not of float64.
  const FloatSource& floats_of(Dtype dtype) const {
    return dtype == Dtype::kBFloat16 ? bfloat16 : dtype == Dtype::kFloat16 ? float16 : float32;
  }
};

/// Copies `bytes` at `offset` of every row to `out`, and zeros behind them up to `stride`, where the next row
/// begins.
void CopyColumns(const void* const* rows, int count, std::int64_t offset, std::int64_t bytes,
                 std::int64_t stride, void* out);

/// Those of the instruction set in use.
const Kernels& CurrentKernels();

/// Calls visit(i, j) for every pair i > j of `count` vectors, in the order in which tiles are computed:
/// squares along the diagonal, and right of each of them rectangles of `tile` columns.
template <typename Visit>
void ForEachPair(std::int64_t count, int tile, Visit&& visit) {
  constexpr std::int64_t kSquare = 4;
  for (std::int64_t first = 0; first < count; first += kSquare) {
    const std::int64_t end = first + kSquare < count ? first + kSquare : count;
    for (std::int64_t i = first + 1; i < end; ++i) {
      for (std::int64_t j = first; j < i; ++j) visit(i, j);
    }
    for (std::int64_t right = end; right < count; right += tile) {
      for (std::int64_t i = right; i < right + tile && i < count; ++i) {
        for (std::int64_t j = first; j < end; ++j) visit(i, j);
      }
    }
  }
}

}  // namespace pike

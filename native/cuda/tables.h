// The tables that tell a kernel how its columns and rows are shared out. They depend on shapes alone: the
// plan makes them on the host once, and they then lie in device memory.
#pragma once

#include <cstdint>

#include "math/layout.h"
#include "math/platform.h"

namespace pike::cuda {

inline constexpr int kThreads = 256;
inline constexpr int kWarps = kThreads / 32;

/// Columns of one tensor that are treated in one go.
struct Chunk {
  std::int64_t offset;  ///< In the tensor.
  std::int64_t column;  ///< Of its first element, in the whole gradient.
  std::int32_t tensor;
  std::int32_t count;  ///< At most kChunkColumns.
};

/// Divides into whole steps of every kernel.
inline constexpr int kChunkColumns = 8192;

/// Rows of a task that has any: the first of them, and how many.
struct TaskRows {
  std::int32_t first;
  std::int32_t count;
};

/// Tasks that are measured together because products of their means are wanted, or one task by itself.
struct Set {
  std::int32_t first_row;
  std::int32_t rows;
  std::int32_t first_task;  ///< In the table of tasks that have rows.
  std::int32_t tasks;
  /// 0: products of all pairs. Else only of one of the first `rectangle` tasks with one of the others; rows
  /// are then one per task, those of the others from `second_row` on.
  std::int32_t rectangle;
  std::int32_t second_row;
};

inline constexpr int kMostTiledRows = 128;
/// Tasks whose products one set can form: among themselves, or each with each of as many others.
inline constexpr int kPanelTasks = 64;
/// Edge of a sub-block of products.
inline constexpr int kEdge = 4;
/// Pieces of a tile that a thread loads.
inline constexpr int kPieces = 4;

/// Shared memory that every GPU gives a block without being asked, and twice to a multiprocessor that has 100
/// KiB. The widest sets exceed it, but never the 64 KiB that are all of a GPU of 7.5.
inline constexpr unsigned kRoomyTileBytes = 48 * 1024;

/// How a set of rows lies in a tile of columns and in shared memory (tiled_moments.h).
struct TileShape {
  std::int32_t rows;
  std::int32_t tasks;
  std::int32_t lanes;       ///< Threads that share a row of a tile: 8, 16 or 32.
  std::int32_t columns;     ///< Of a tile.
  std::int32_t stride;      ///< Floats from one mean to the next: `columns` and four against bank conflicts.
  std::int32_t edges;       ///< Sub-blocks in a row of them.
  std::int32_t sub_blocks;  ///< Of products; 0 when none are wanted.
  std::int32_t slices;  ///< Threads that share a sub-block, each with its slice of the columns: 1, 2, 4 … 32.
  std::int32_t given_means;  ///< 1: the rows are means, one per task, in whatever metric there is.

  static constexpr int CeilDivide(int a, int b) { return (a + b - 1) / b; }

  /// As wide as fits: with many tasks of 16-bit elements a tile is narrower than its rows alone would allow.
  static constexpr TileShape Of(const Set& set, bool inner, int element_columns, bool given_means) {
    int lanes = set.rows <= 32 ? 32 : set.rows <= 64 ? 16 : 8;
    TileShape shape = WithLanes(set, inner, element_columns, given_means, lanes);
    while (lanes > 8 && shape.bytes() > kRoomyTileBytes) {
      lanes /= 2;
      shape = WithLanes(set, inner, element_columns, given_means, lanes);
    }
    return shape;
  }

  static constexpr TileShape WithLanes(const Set& set, bool inner, int element_columns, bool given_means,
                                       int lanes) {
    TileShape shape = {};
    shape.rows = set.rows;
    shape.tasks = set.tasks;
    shape.lanes = lanes;
    shape.columns = shape.lanes * element_columns;
    shape.stride = shape.columns + 4;
    shape.given_means = given_means;
    shape.slices = 1;
    if (!inner) return shape;
    shape.edges = CeilDivide(set.rectangle > 0 ? set.tasks - set.rectangle : set.tasks, kEdge);
    shape.sub_blocks =
        set.rectangle > 0 ? set.rectangle / kEdge * shape.edges : shape.edges * (shape.edges + 1) / 2;
    while (shape.slices < 32 && 2 * shape.slices * shape.sub_blocks <= kThreads &&
           2 * shape.slices <= shape.columns / 4) {
      shape.slices *= 2;
    }
    return shape;
  }

  /// Tasks, rounded up to whole sub-blocks.
  PIKE_HD constexpr int mean_rows() const { return (tasks + kEdge - 1) / kEdge * kEdge; }

  // Partial sums of a virtual block, in this order.
  PIKE_HD constexpr int deviation_slot() const { return 0; }               ///< [rows] (g − ḡ)²
  PIKE_HD constexpr int alignment_slot() const { return rows; }            ///< [rows] (g − ḡ)ḡ
  PIKE_HD constexpr int norm_slot() const { return 2 * rows; }             ///< [tasks] ḡ²
  PIKE_HD constexpr int product_slot() const { return 2 * rows + tasks; }  ///< [sub_blocks][4][4] ḡ_j ḡ_k
  PIKE_HD constexpr int slots() const { return product_slot() + sub_blocks * kEdge * kEdge; }

  // Shared memory: where each array begins, in bytes.
  PIKE_HD constexpr unsigned sums_at() const { return 0; }  ///< [slots] doubles
  PIKE_HD constexpr unsigned means_at() const { return (slots() * 8u + 15u) / 16u * 16u; }
  PIKE_HD constexpr unsigned tile_at() const { return means_at() + mean_rows() * stride * 4u; }
  PIKE_HD constexpr unsigned roots_at() const { return tile_at() + (given_means ? 0u : rows * lanes * 16u); }
  PIKE_HD constexpr unsigned shares_at() const { return roots_at() + 2u * columns * 4u; }
  PIKE_HD constexpr unsigned tasks_at() const { return shares_at() + rows * 4u; }
  PIKE_HD constexpr unsigned firsts_at() const { return tasks_at() + rows * 4u; }
  PIKE_HD constexpr unsigned flags_at() const { return firsts_at() + (tasks + 1u) * 4u; }
  PIKE_HD constexpr unsigned bytes() const { return flags_at() + 2u * 4u; }
};

/// Tasks whose weights can be solved for in the launch that measures them.
inline constexpr int kMostSolvedTasks = 128;

/// Shared memory that solving takes.
constexpr unsigned SolveSharedBytes(int tasks) {
  constexpr int kParts =
      int{math::kMomentParts} + int{math::kInputParts} + int{math::kOutputParts} + int{math::kScratchParts};
  return static_cast<unsigned>(kParts * tasks * sizeof(double));
}

}  // namespace pike::cuda

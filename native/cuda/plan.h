// How a measurement is laid out on a GPU: which kernel, which columns in which block, where every sum goes.
// It depends on shapes alone, never on the GPU, so that the bits of a result do not either. Host code without
// CUDA.
#pragma once

#include <cstdint>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"
#include "cuda/tables.h"

namespace pike::cuda {

/// What is to be measured. All tensors of a gradient have one dtype.
struct MomentsShape {
  Dtype dtype = Dtype::kFloat32;
  std::vector<std::int64_t> lengths;        ///< Of every tensor.
  std::vector<std::int32_t> rows_per_task;  ///< m_k, zeros among them allowed.
  bool inner = false;                       ///< Form the products of the means.

  bool operator==(const MomentsShape&) const = default;
};

/// The columns, cut into chunks that do not cross tensors, and the chunks shared out to virtual blocks.
struct ColumnPlan {
  std::vector<Chunk> chunks;
  std::int32_t chunks_per_block = 1;
  std::int32_t virtual_blocks = 1;
  std::int32_t group_size = 1;  ///< Virtual blocks whose sums are added up first.
  std::int32_t groups = 1;

  /// At most `most_blocks` virtual blocks. ERR_SHAPE for more columns than chunks can be counted.
  static Status Create(const std::vector<std::int64_t>& lengths, std::int32_t most_blocks, ColumnPlan* plan);
};

/// Enough to share out evenly on a large GPU; not yet tuned on one.
inline constexpr std::int32_t kMostVirtualBlocks = 2048;

/// Which kernel measures.
enum class Path {
  kRegisters,  ///< Few rows: register_moments.h.
  kTiles,      ///< Up to 128 rows of up to 64 tasks: tiled_moments.h.
  kWelford,    ///< More: row by row by welford.h, then, for products, a plan of given means.
};

/// ERR_SHAPE for what cannot be measured.
Status ChoosePath(const MomentsShape& shape, Path* path);

struct MomentsPlan {
  Path path = Path::kRegisters;
  Dtype dtype = Dtype::kFloat32;
  ColumnPlan columns;

  std::vector<Set> sets;
  std::vector<TileShape> shapes;         ///< Per set, on the path of tiles.
  std::vector<TaskRows> measured_tasks;  ///< Those that have rows.
  std::vector<TaskRows> tasks;           ///< All.
  std::vector<std::int64_t> sources;     ///< Of every quantity; see Finish.
  std::int32_t rows = 0;
  std::int32_t first_norm = 0;      ///< Which quantity is the first ‖ḡ‖².
  std::int32_t slots = 0;           ///< Partial sums per virtual block.
  std::int32_t register_tasks = 0;  ///< K and M of the kernel, on the path of registers.
  std::int32_t register_rows = 0;
  unsigned shared_bytes = 0;  ///< Of the kernel itself; see LaunchSharedBytes.

  // Workspace.
  std::int64_t partials() const;        ///< doubles
  std::int64_t group_partials() const;  ///< doubles
  std::int64_t tickets() const;         ///< 32-bit words, zero before the first launch
  std::int64_t results() const;         ///< doubles: the quantities, then the deviation of every task

  /// Quantities: (g − ḡ)² of every row, (g − ḡ)ḡ of every row, ‖ḡ‖² of every task, and with `inner` ⟨ḡ_j,
  /// ḡ_k⟩ of every pair j < k: (0,1), (0,2), (1,2), (0,3), … ERR_SHAPE for what cannot be laid out.
  static Status Create(const MomentsShape& shape, MomentsPlan* plan);

  /// Products of `measured` given mean vectors of float32, out of `tasks` tasks: quantities are ‖ḡ‖² of every
  /// task and ⟨ḡ_j, ḡ_k⟩ of every pair. Row i of the launch is the mean of task measured[i].
  static Status CreateForMeans(std::int64_t length, std::int32_t tasks,
                               const std::vector<std::int32_t>& measured, MomentsPlan* plan);
};

/// Where the mean of every tensor begins in a vector of means, with room for whole vectors of sixteen bytes,
/// and how long the vector is. It must be zeros at first.
struct MeanLayout {
  std::vector<std::int64_t> begins;
  std::int64_t length = 0;

  static MeanLayout Of(const std::vector<std::int64_t>& lengths);
};

}  // namespace pike::cuda

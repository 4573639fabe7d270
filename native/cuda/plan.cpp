#include "cuda/plan.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cuda/register_layout.h"

namespace pike::cuda {
namespace {

/// As kMostVirtualBlocks, for the many partial sums of the tiled kernel.
constexpr std::int32_t kMostTiledVirtualBlocks = 512;

std::int64_t PairOf(std::int64_t j, std::int64_t k) { return k * (k - 1) / 2 + j; }

/// Fills in what the path of a plan decides: sets, shapes, slots.
class Builder {
 public:
  Builder(const MomentsShape& shape, MomentsPlan* plan) : inner_(shape.inner), plan_(*plan) {
    plan_ = {};
    plan_.dtype = shape.dtype;
    for (std::size_t k = 0; k < shape.rows_per_task.size(); ++k) {
      const std::int32_t count = shape.rows_per_task[k];
      plan_.tasks.push_back({plan_.rows, count});
      if (count > 0) {
        measured_.push_back(static_cast<std::int32_t>(k));
        plan_.measured_tasks.push_back({plan_.rows, count});
        most_rows_ = std::max(most_rows_, count);
      }
      plan_.rows += count;
    }
  }

  Path ChoosePath() const {
    const auto tasks = static_cast<std::int32_t>(measured_.size());
    if (!inner_ || tasks <= 1) {
      if (most_rows_ <= MostRegisterRows(1)) return Path::kRegisters;
      return most_rows_ <= kMostTiledRows ? Path::kTiles : Path::kWelford;
    }
    if (tasks <= kMostRegisterTasks && most_rows_ <= MostRegisterRows(tasks)) return Path::kRegisters;
    return plan_.rows <= kMostTiledRows && tasks <= kPanelTasks ? Path::kTiles : Path::kWelford;
  }

  /// One set of all tasks where products are wanted, else one set per task.
  void MakeSets() {
    const auto tasks = static_cast<std::int32_t>(measured_.size());
    if (inner_ && tasks > 0) {
      plan_.sets.push_back({0, plan_.rows, 0, tasks, 0, 0});
      return;
    }
    for (std::int32_t t = 0; t < tasks; ++t) {
      const TaskRows rows = plan_.measured_tasks[static_cast<std::size_t>(t)];
      plan_.sets.push_back({rows.first, rows.count, t, 1, 0, 0});
    }
  }

  /// Where every quantity of the rows, tasks and pairs is to be found, once `slot` of each is known.
  void BeginSources(bool with_rows) {
    const auto tasks = static_cast<std::int64_t>(plan_.tasks.size());
    plan_.first_norm = with_rows ? 2 * plan_.rows : 0;
    const std::int64_t pairs = inner_ ? tasks * (tasks - 1) / 2 : 0;
    plan_.sources.assign(static_cast<std::size_t>(plan_.first_norm + tasks + pairs), -1);
  }
  void SetRow(std::int32_t row, std::size_t set, int deviation, int alignment) {
    Source(row) = At(set, deviation);
    Source(plan_.rows + row) = At(set, alignment);
  }
  void SetNorm(std::int32_t measured, std::size_t set, int slot) {
    Source(plan_.first_norm + Task(measured)) = At(set, slot);
  }
  void SetPair(std::int32_t one, std::int32_t other, std::size_t set, int slot) {
    const std::int32_t j = std::min(Task(one), Task(other));
    const std::int32_t k = std::max(Task(one), Task(other));
    Source(plan_.first_norm + static_cast<std::int64_t>(plan_.tasks.size()) + PairOf(j, k)) = At(set, slot);
  }

  void LayOutRegisters() {
    const int tasks = inner_ ? std::max<int>(1, static_cast<int>(measured_.size())) : 1;
    const int rows = RegisterRows(most_rows_);
    plan_.register_tasks = tasks;
    plan_.register_rows = rows;
    const RegisterLayout slots = RegisterLayout::Of(tasks, rows);
    plan_.slots = slots.count;
    plan_.shared_bytes = slots.bytes;
    BeginSources(true);
    for (std::size_t s = 0; s < plan_.sets.size(); ++s) {
      const Set& set = plan_.sets[s];
      for (std::int32_t t = 0; t < set.tasks; ++t) {
        const TaskRows task = plan_.measured_tasks[static_cast<std::size_t>(set.first_task + t)];
        for (std::int32_t i = 0; i < task.count; ++i) {
          SetRow(task.first + i, s, slots.deviation + t * rows + i, slots.alignment + t * rows + i);
        }
        SetNorm(set.first_task + t, s, slots.norm + t);
        for (std::int32_t j = 0; j < t; ++j) {
          SetPair(set.first_task + j, set.first_task + t, s, slots.pairs + static_cast<int>(PairOf(j, t)));
        }
      }
    }
  }

  void LayOutTiles(bool with_rows) {
    const int columns = static_cast<int>(16 / SizeOf(plan_.dtype));
    for (const Set& set : plan_.sets) {
      const TileShape shape = TileShape::Of(set, inner_ && set.tasks > 1, columns, !with_rows);
      plan_.shapes.push_back(shape);
      plan_.slots = std::max(plan_.slots, shape.slots());
      plan_.shared_bytes = std::max(plan_.shared_bytes, shape.bytes());
    }
    BeginSources(with_rows);
    for (std::size_t s = 0; s < plan_.sets.size(); ++s) {
      const Set& set = plan_.sets[s];
      const TileShape& shape = plan_.shapes[s];
      for (std::int32_t r = 0; with_rows && r < set.rows; ++r) {
        SetRow(set.first_row + r, s, shape.deviation_slot() + r, shape.alignment_slot() + r);
      }
      for (std::int32_t t = 0; t < set.tasks; ++t) {
        if (set.rectangle == 0) SetNorm(set.first_task + t, s, shape.norm_slot() + t);
        for (std::int32_t j = 0; j < t && shape.sub_blocks > 0; ++j) {
          if (set.rectangle > 0 && (j >= set.rectangle || t < set.rectangle)) continue;
          SetPair(MeasuredOf(set, j), MeasuredOf(set, t), s, ProductSlot(set, shape, j, t));
        }
      }
    }
  }

  /// Panels of tasks, each with itself and with every later one.
  void MakePanels() {
    const auto tasks = static_cast<std::int32_t>(measured_.size());
    for (std::int32_t i = 0; i < tasks; i += kPanelTasks) {
      const std::int32_t first = std::min(kPanelTasks, tasks - i);
      plan_.sets.push_back({i, first, i, first, 0, 0});
      for (std::int32_t j = i + kPanelTasks; j < tasks; j += kPanelTasks) {
        const std::int32_t both = first + std::min(kPanelTasks, tasks - j);
        plan_.sets.push_back({i, both, i, both, first, j});
      }
    }
  }

 private:
  std::int64_t& Source(std::int64_t quantity) { return plan_.sources[static_cast<std::size_t>(quantity)]; }
  std::int64_t At(std::size_t set, int slot) const {
    return static_cast<std::int64_t>(set) * plan_.columns.groups * plan_.slots + slot;
  }
  std::int32_t Task(std::int32_t measured) const { return measured_[static_cast<std::size_t>(measured)]; }
  static std::int32_t MeasuredOf(const Set& set, std::int32_t t) {
    const bool second = set.rectangle > 0 && t >= set.rectangle;
    return second ? set.second_row + t - set.rectangle : set.first_task + t;
  }

  /// The product of tasks j < i of a set.
  static int ProductSlot(const Set& set, const TileShape& shape, int j, int i) {
    int sub_block = i / kEdge * (i / kEdge + 1) / 2 + j / kEdge;
    if (set.rectangle > 0) {
      std::swap(i, j);
      j -= set.rectangle;
      sub_block = i / kEdge * shape.edges + j / kEdge;
    }
    return shape.product_slot() + sub_block * kEdge * kEdge + i % kEdge * kEdge + j % kEdge;
  }

  bool inner_;
  MomentsPlan& plan_;
  std::vector<std::int32_t> measured_;  ///< Tasks that have rows.
  std::int32_t most_rows_ = 0;
};

/// Products of more tasks would need tables of more than 64 MiB.
constexpr std::size_t kMostTasksWithProducts = 4096;

Status CheckTasks(std::size_t tasks) {
  if (tasks <= kMostTasksWithProducts) return {};
  return {StatusCode::kShape, "products of the means of " + std::to_string(tasks) + " tasks are too many, " +
                                  std::to_string(kMostTasksWithProducts) + " are possible"};
}

Status CheckShape(const MomentsShape& shape) {
  if (shape.dtype == Dtype::kFloat64) return {StatusCode::kShape, "a GPU takes float32, bfloat16 or float16"};
  std::int64_t rows = 0;
  for (const std::int32_t count : shape.rows_per_task) {
    if (count < 0) return {StatusCode::kShape, "a task cannot have fewer than no rows"};
    rows += count;
  }
  if (rows == 0) return {StatusCode::kShape, "there is no row to measure"};
  if (rows > INT32_MAX / 4) return {StatusCode::kShape, std::to_string(rows) + " rows are too many"};
  return shape.inner ? CheckTasks(shape.rows_per_task.size()) : Status();
}

}  // namespace

Status ColumnPlan::Create(const std::vector<std::int64_t>& lengths, std::int32_t most_blocks,
                          ColumnPlan* plan) {
  *plan = {};
  std::int64_t chunks = 0;
  for (const std::int64_t length : lengths) {
    if (length < 0) return {StatusCode::kShape, "a tensor cannot have fewer than no elements"};
    chunks += length / kChunkColumns + 1;
  }
  if (chunks > INT32_MAX) return {StatusCode::kShape, "the gradient has too many elements"};
  std::int64_t column = 0;
  for (std::size_t tensor = 0; tensor < lengths.size(); ++tensor) {
    for (std::int64_t offset = 0; offset < lengths[tensor]; offset += kChunkColumns) {
      const std::int64_t count = std::min<std::int64_t>(kChunkColumns, lengths[tensor] - offset);
      plan->chunks.push_back(
          {offset, column, static_cast<std::int32_t>(tensor), static_cast<std::int32_t>(count)});
      column += count;
    }
  }
  const auto count = static_cast<std::int32_t>(plan->chunks.size());
  plan->chunks_per_block = std::max(1, TileShape::CeilDivide(count, std::max(1, most_blocks)));
  plan->virtual_blocks = std::max(1, TileShape::CeilDivide(count, plan->chunks_per_block));
  plan->group_size = static_cast<std::int32_t>(std::ceil(std::sqrt(plan->virtual_blocks)));
  plan->groups = TileShape::CeilDivide(plan->virtual_blocks, plan->group_size);
  return {};
}

Status ChoosePath(const MomentsShape& shape, Path* path) {
  Status status = CheckShape(shape);
  MomentsPlan plan;
  if (status.ok()) *path = Builder(shape, &plan).ChoosePath();
  return status;
}

Status MomentsPlan::Create(const MomentsShape& shape, MomentsPlan* plan) {
  if (Status status = CheckShape(shape); !status.ok()) return status;
  Builder builder(shape, plan);
  plan->path = builder.ChoosePath();
  const bool tiles = plan->path == Path::kTiles;
  if (plan->path != Path::kWelford) builder.MakeSets();
  const auto sets = static_cast<std::int32_t>(std::max<std::size_t>(1, plan->sets.size()));
  const std::int32_t most = tiles ? kMostTiledVirtualBlocks : kMostVirtualBlocks;
  Status status = ColumnPlan::Create(shape.lengths, std::max(1, most / sets), &plan->columns);
  if (!status.ok()) return status;
  if (plan->path == Path::kRegisters) builder.LayOutRegisters();
  if (tiles) builder.LayOutTiles(true);
  return {};
}

Status MomentsPlan::CreateForMeans(std::int64_t length, std::int32_t tasks,
                                   const std::vector<std::int32_t>& measured, MomentsPlan* plan) {
  MomentsShape shape;
  shape.lengths = {length};
  shape.rows_per_task.assign(static_cast<std::size_t>(tasks), 0);
  shape.inner = true;
  if (measured.empty()) return {StatusCode::kShape, "there is no mean to form products of"};
  if (Status status = CheckTasks(shape.rows_per_task.size()); !status.ok()) return status;
  if (!std::is_sorted(measured.begin(), measured.end()) || measured.front() < 0 || measured.back() >= tasks)
    return {StatusCode::kInternal, "the means must be those of tasks, in order"};
  for (const std::int32_t task : measured) shape.rows_per_task[static_cast<std::size_t>(task)] = 1;
  Builder builder(shape, plan);
  plan->path = Path::kTiles;
  builder.MakePanels();
  const auto sets = static_cast<std::int32_t>(std::max<std::size_t>(1, plan->sets.size()));
  Status status =
      ColumnPlan::Create(shape.lengths, std::max(1, kMostTiledVirtualBlocks / sets), &plan->columns);
  if (!status.ok()) return status;
  builder.LayOutTiles(false);
  return {};
}

std::int64_t MomentsPlan::partials() const {
  return static_cast<std::int64_t>(sets.size()) * columns.virtual_blocks * slots;
}
std::int64_t MomentsPlan::group_partials() const {
  return static_cast<std::int64_t>(sets.size()) * columns.groups * slots;
}
std::int64_t MomentsPlan::tickets() const {
  return static_cast<std::int64_t>(sets.size()) * columns.groups + 1;
}
std::int64_t MomentsPlan::results() const { return static_cast<std::int64_t>(sources.size() + tasks.size()); }

MeanLayout MeanLayout::Of(const std::vector<std::int64_t>& lengths) {
  constexpr std::int64_t kVector = 8;
  MeanLayout layout;
  for (const std::int64_t length : lengths) {
    layout.begins.push_back(layout.length);
    layout.length += (length + kVector - 1) / kVector * kVector;
  }
  return layout;
}

}  // namespace pike::cuda

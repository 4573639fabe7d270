// What the last block does with the sums of all blocks: the quantities that were asked for, and from them, in
// the same launch, the next weights.
//
// It is compiled by itself and linked to the kernels, of which there are many: it would take longer to
// compile than each of them, and its registers must not count against loops that run all the time.
#pragma once

#include "cuda/arguments.h"
#include "cuda/platform.h"

namespace pike::cuda {

/// Called by all threads of the one block that came last. What earlier was in shared memory is gone then.
__device__ void FinishMoments(const Finish* finish, Global<double> group_partials, int slots, int groups);

/// The weights from streamed moments, where no products are wanted: a launch of one block.
struct SolveArguments {
  const Update* update;
  Global<double> moments;  ///< [2][tasks] deviations, then norms
  std::int32_t tasks;
};

/// ERR_SHAPE for more than kMostSolvedTasks.
Status CheckSolvedTasks(int tasks);

Status LaunchSolve(const SolveArguments& arguments, Stream stream);

}  // namespace pike::cuda

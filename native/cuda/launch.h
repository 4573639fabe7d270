// The launches of the kernels, for whoever has laid tables and gradients out in the memory of a device.
// Nothing here waits for the device.
#pragma once

#include "core/status.h"
#include "cuda/arguments.h"
#include "cuda/finish.h"
#include "cuda/plan.h"
#include "cuda/welford.h"

namespace pike::cuda {

/// One measurement, on the path of registers or of tiles, in one launch.
/// @param solved_tasks the tasks whose weights the launch also solves for: all if `arguments.finish` brings
///   an update, else 0. ERR_SHAPE for more than kMostSolvedTasks.
/// @param blocks how many blocks share the virtual blocks of a set; 0: as many. No bit depends on it.
Status LaunchMoments(const MomentsPlan& plan, const MomentsArguments& arguments, int solved_tasks, int blocks,
                     Stream stream);

/// One micro-batch into the mean of its task.
Status LaunchWelford(Dtype dtype, const WelfordArguments& arguments, int blocks, Stream stream);

// One instance per dtype, each in a file of its own: they take the compiler a while.
template <Dtype dtype>
Status LaunchMomentsOf(const MomentsPlan& plan, const MomentsArguments& arguments, dim3 grid, unsigned shared,
                       Stream stream);
template <Dtype dtype>
Status LaunchWelfordOf(const WelfordArguments& arguments, dim3 grid, Stream stream);

}  // namespace pike::cuda

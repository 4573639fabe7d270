#include "cuda/launch.h"

#include <algorithm>

namespace pike::cuda {
namespace {

unsigned Blocks(int blocks, std::int32_t virtual_blocks) {
  return static_cast<unsigned>(blocks > 0 ? std::min(blocks, virtual_blocks) : virtual_blocks);
}

const Status kNoSuchDtype = {StatusCode::kInternal, "no kernel takes this element type"};

}  // namespace

Status LaunchMoments(const MomentsPlan& plan, const MomentsArguments& arguments, int solved_tasks, int blocks,
                     Stream stream) {
  if (Status status = CheckSolvedTasks(solved_tasks); !status.ok()) return status;
  if (plan.path == Path::kWelford) return {StatusCode::kInternal, "this plan is for row after row"};
  // Sets along x, of which there may be more than the 65535 that y takes; and blocks of the same columns,
  // which may read the same rows, follow each other.
  const dim3 grid(static_cast<unsigned>(plan.sets.size()), Blocks(blocks, plan.columns.virtual_blocks));
  const unsigned shared = std::max(plan.shared_bytes, SolveSharedBytes(solved_tasks));
  switch (plan.dtype) {
    case Dtype::kFloat32:
      return LaunchMomentsOf<Dtype::kFloat32>(plan, arguments, grid, shared, stream);
    case Dtype::kBFloat16:
      return LaunchMomentsOf<Dtype::kBFloat16>(plan, arguments, grid, shared, stream);
    case Dtype::kFloat16:
      return LaunchMomentsOf<Dtype::kFloat16>(plan, arguments, grid, shared, stream);
    default:
      return kNoSuchDtype;
  }
}

Status LaunchWelford(Dtype dtype, const WelfordArguments& arguments, int blocks, Stream stream) {
  const dim3 grid(Blocks(blocks, arguments.tail.virtual_blocks));
  switch (dtype) {
    case Dtype::kFloat32:
      return LaunchWelfordOf<Dtype::kFloat32>(arguments, grid, stream);
    case Dtype::kBFloat16:
      return LaunchWelfordOf<Dtype::kBFloat16>(arguments, grid, stream);
    case Dtype::kFloat16:
      return LaunchWelfordOf<Dtype::kFloat16>(arguments, grid, stream);
    default:
      return kNoSuchDtype;
  }
}

}  // namespace pike::cuda

// Which instances of the kernels there are for one dtype. Included by one file per dtype.
#pragma once

#include "cuda/launch.h"
#include "cuda/register_moments.h"
#include "cuda/tiled_moments.h"
#include "cuda/welford.h"

namespace pike::cuda {

template <Dtype dtype>
Status LaunchMomentsOf(const MomentsPlan& plan, const MomentsArguments& arguments, dim3 grid, unsigned shared,
                       Stream stream) {
  void (*kernel)(MomentsArguments) = nullptr;
  if (plan.path == Path::kTiles) {
    kernel = TiledMoments<dtype>;
  } else {
    // The instances that register_layout.h speaks of.
    switch (plan.register_tasks * 10 + plan.register_rows) {
      case 12:
        kernel = RegisterMoments<dtype, 1, 2>;
        break;
      case 14:
        kernel = RegisterMoments<dtype, 1, 4>;
        break;
      case 18:
        kernel = RegisterMoments<dtype, 1, 8>;
        break;
      case 22:
        kernel = RegisterMoments<dtype, 2, 2>;
        break;
      case 24:
        kernel = RegisterMoments<dtype, 2, 4>;
        break;
      case 28:
        kernel = RegisterMoments<dtype, 2, 8>;
        break;
      case 32:
        kernel = RegisterMoments<dtype, 3, 2>;
        break;
      case 34:
        kernel = RegisterMoments<dtype, 3, 4>;
        break;
      case 42:
        kernel = RegisterMoments<dtype, 4, 2>;
        break;
      case 44:
        kernel = RegisterMoments<dtype, 4, 4>;
        break;
      default:
        return {StatusCode::kInternal, "no kernel is made for this many tasks and rows"};
    }
  }
  return Launch(kernel, grid, kThreads, shared, stream, arguments);
}

template <Dtype dtype>
Status LaunchWelfordOf(const WelfordArguments& arguments, dim3 grid, Stream stream) {
  return Launch(AccumulateMoments<dtype>, grid, kThreads, kWelfordSharedBytes, stream, arguments);
}

}  // namespace pike::cuda

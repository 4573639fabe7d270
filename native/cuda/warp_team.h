// The team of native/math on a GPU: the 32 lanes of one warp.
#pragma once

#include "cuda/platform.h"
#include "math/team.h"

namespace pike::cuda {

class WarpTeam {
 public:
  __device__ int lane() const { return static_cast<int>(threadIdx.x) % 32; }
  __device__ int size() const { return 32; }
  __device__ void Sync() const { __syncwarp(); }

  // A butterfly: in every step both lanes of a pair form the same sum, so all end up with the same bits.
  __device__ double Sum(double x) const {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
    return x;
  }
  __device__ double Max(double x) const {
    for (int offset = 16; offset > 0; offset /= 2) {
      x = math::Larger(x, __shfl_xor_sync(kAllLanes, x, offset));
    }
    return x;
  }
  __device__ double Min(double x) const {
    for (int offset = 16; offset > 0; offset /= 2) {
      x = math::Smaller(x, __shfl_xor_sync(kAllLanes, x, offset));
    }
    return x;
  }
  __device__ int Sum(int x) const {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(kAllLanes, x, offset);
    return x;
  }
  __device__ bool Any(bool x) const { return __any_sync(kAllLanes, x) != 0; }
};

}  // namespace pike::cuda

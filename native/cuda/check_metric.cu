#include "cuda/check_metric.h"

#include <algorithm>

#include "cuda/element.h"
#include "cuda/tail.h"

namespace pike::cuda {
namespace {

__global__ void __launch_bounds__(kThreads) CheckMetric(CheckMetricArguments a) {
  constexpr int kColumns = 8;
  for (int block = blockIdx.x; block < a.virtual_blocks; block += gridDim.x) {
    const ChunkRange chunks = ChunksOf(a.columns, block);
    for (int c = chunks.begin; c < chunks.end; ++c) {
      const int count = a.columns.chunks[c].count;
      for (int column = threadIdx.x * kColumns; column < count; column += kThreads * kColumns) {
        float roots[kColumns];
        LoadRoots<false>(a.metric, a.columns.chunks + c, column, roots);
      }
    }
  }
}

}  // namespace

Status LaunchCheckMetric(const CheckMetricArguments& arguments, int blocks, Stream stream) {
  const int most = arguments.virtual_blocks;
  const dim3 grid(static_cast<unsigned>(blocks > 0 ? std::min(blocks, most) : most));
  return Launch(CheckMetric, grid, kThreads, 0, stream, arguments);
}

}  // namespace pike::cuda

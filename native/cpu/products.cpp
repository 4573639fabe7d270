#include "cpu/products.h"

#include <cstdint>

#include "cpu/kernels.h"

namespace pike {

std::vector<double> TaskPairs::ToMatrix(const double* sums, const std::vector<double>& diagonal) const {
  const std::size_t size = diagonal.size();
  std::vector<double> matrix(size * size);
  for (std::size_t k = 0; k < size; ++k) matrix[k * size + k] = diagonal[k];
  const auto place = [&](std::int64_t i, std::int64_t j) {
    const std::size_t a = tasks_[static_cast<std::size_t>(i)];
    const std::size_t b = tasks_[static_cast<std::size_t>(j)];
    matrix[a * size + b] = matrix[b * size + a] = *sums++;
  };
  ForEachPair(static_cast<std::int64_t>(tasks_.size()), CurrentKernels().tile, place);
  return matrix;
}

}  // namespace pike

#include "cpu/products.h"

#include "cpu/blocks.h"

namespace pike {

void TaskPairs::Accumulate(const double* blocks, std::int64_t stride, std::int64_t count,
                           double* sums) const {
  const std::int64_t tasks = static_cast<std::int64_t>(tasks_.size());
  for (std::int64_t i = 1; i < tasks; ++i) {
    for (std::int64_t j = 0; j < i; ++j) *sums++ += Dot(blocks + i * stride, blocks + j * stride, count);
  }
}

std::vector<double> TaskPairs::ToMatrix(const std::vector<double>& sums,
                                        const std::vector<double>& diagonal) const {
  const std::size_t size = diagonal.size();
  std::vector<double> matrix(size * size);
  for (std::size_t k = 0; k < size; ++k) matrix[k * size + k] = diagonal[k];
  std::size_t pair = 0;
  for (std::size_t i = 1; i < tasks_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++pair) {
      matrix[tasks_[i] * size + tasks_[j]] = sums[pair];
      matrix[tasks_[j] * size + tasks_[i]] = sums[pair];
    }
  }
  return matrix;
}

}  // namespace pike

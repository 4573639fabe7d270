// Products of every pair of task means: what both kernels form when conflicts between tasks are asked for.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace pike {

/// The pairs of a list of tasks: those that were measured, in the order of the list.
class TaskPairs {
 public:
  explicit TaskPairs(std::vector<std::size_t> tasks) : tasks_(std::move(tasks)) {}

  const std::vector<std::size_t>& tasks() const { return tasks_; }
  std::size_t size() const { return tasks_.empty() ? 0 : tasks_.size() * (tasks_.size() - 1) / 2; }

  /// The symmetric K×K matrix, row-major, of `sums` in the order in which kernels compute them, with
  /// `diagonal` (length K) on its diagonal and zeros for absent tasks.
  std::vector<double> ToMatrix(const double* sums, const std::vector<double>& diagonal) const;

 private:
  std::vector<std::size_t> tasks_;
};

}  // namespace pike

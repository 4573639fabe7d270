// What a thread needs to sum up a block of columns: addresses, vectors that stay in cache, and the sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

#include "core/memory.h"
#include "cpu/kernels.h"

namespace pike {

/// Memory of one thread.
class TaskScratch {
 public:
  TaskScratch(std::size_t rows, std::size_t most_rows, std::size_t tasks, std::int64_t stride,
              std::size_t sums)
      : addresses(rows + kMostRowsAtOnce),
        scaled(most_rows),
        float_means(tasks),
        double_means(tasks),
        block(sums),
        stride_(stride) {
    const auto vectors = static_cast<std::int64_t>(1 + most_rows + tasks);
    means_at_ = static_cast<std::int64_t>(1 + most_rows) * stride;
    // Not filled, so that what is never used takes no memory: the doubles, as a rule.
    floats_ = AlignedBuffer::TryAllocate(vectors * stride * std::int64_t{sizeof(float)});
    doubles_ = AlignedBuffer::TryAllocate(vectors * stride * std::int64_t{sizeof(double)});
    if (!floats_ || !doubles_) throw std::bad_alloc();
    for (std::size_t t = 0; t < tasks; ++t) {
      float_means[t] = mean<float>(t);
      double_means[t] = mean<double>(t);
    }
  }

  template <typename Element>
  Element* roots() const {
    return memory<Element>();
  }
  /// Row i of the task at work, scaled.
  template <typename Element>
  Element* row(std::size_t i) const {
    return memory<Element>() + static_cast<std::int64_t>(1 + i) * stride_;
  }
  template <typename Element>
  Element* mean(std::size_t t) const {
    return memory<Element>() + means_at_ + static_cast<std::int64_t>(t) * stride_;
  }

  std::vector<const void*> addresses;       // of the block in every row, then of the one after it in some
  std::vector<const void*> scaled;          // rows of the task at work, as doubles or in the metric
  std::vector<const float*> float_means;    // of every task
  std::vector<const double*> double_means;  // of every task
  std::vector<double> block;                // its sums

 private:
  template <typename Element>
  Element* memory() const {
    return static_cast<Element*>((sizeof(Element) == sizeof(float) ? floats_ : doubles_).data());
  }

  AlignedBuffer floats_;
  AlignedBuffer doubles_;
  std::int64_t stride_;
  std::int64_t means_at_;
};

}  // namespace pike

// Products of every pair of some vectors that lie anywhere in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pike {

/// The memory of one thread for that.
template <typename Element>
class PairSums {
 public:
  /// `pairs` is how many pairs the vectors make.
  PairSums(std::vector<const Element*> vectors, std::size_t pairs);

  /// Adds the products of the columns [begin, end), in the order of ForEachPair.
  void Section(std::int64_t begin, std::int64_t end, double* sums);

 private:
  void Block(std::int64_t begin, std::int64_t count);

  std::vector<const Element*> vectors_;
  std::vector<const Element*> block_;  // where the block at work begins in each
  std::vector<double> products_;       // of the block
  std::vector<double> section_;
  std::vector<double> copies_;  // blocks that cannot be read where they are
  std::vector<const double*> copied_;
  std::vector<const void*> coming_;
};

}  // namespace pike

// How a long run of columns is cut up, so that any number of threads computes the same bits: chunk borders
// depend on the shape alone, every chunk has its own slot of partial sums, and the slots are added in order.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pike {

/// Columns whose block sums are added up before they go into the slot of a chunk, which keeps chains of
/// additions short; also how often a kernel looks whether it was cancelled.
inline constexpr std::int64_t kSectionColumns = 16384;

class Partition {
 public:
  static constexpr std::int64_t kMostChunks = 256;

  /// Whole sections per chunk; few enough chunks that their slots stay small, enough of them to share out
  /// evenly.
  Partition(std::int64_t length, std::int64_t doubles_per_slot) : length_(length) {
    constexpr std::int64_t kSlotDoubles = std::int64_t{32} << 10;  // 256 KiB in all, but for many tasks
    constexpr std::int64_t kFewestChunks = 32;
    const std::int64_t slots = kSlotDoubles / std::max<std::int64_t>(doubles_per_slot, 1);
    const std::int64_t most = std::clamp(slots, kFewestChunks, kMostChunks);
    const std::int64_t sections = CeilDivide(length, kSectionColumns);
    columns_ = std::max<std::int64_t>(CeilDivide(sections, most), 1) * kSectionColumns;
    chunks_ = CeilDivide(length, columns_);
  }

  std::int64_t chunks() const { return chunks_; }
  std::int64_t Begin(std::int64_t chunk) const { return chunk * columns_; }
  std::int64_t End(std::int64_t chunk) const { return std::min(Begin(chunk) + columns_, length_); }

  /// Calls visit(begin, end) for the sections of a chunk, in order, until one returns false.
  template <typename Visit>
  void ForEachSection(std::int64_t chunk, Visit&& visit) const {
    for (std::int64_t begin = Begin(chunk); begin < End(chunk); begin += kSectionColumns) {
      if (!visit(begin, std::min(begin + kSectionColumns, End(chunk)))) return;
    }
  }

 private:
  static std::int64_t CeilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

  std::int64_t length_;
  std::int64_t columns_;
  std::int64_t chunks_;
};

/// Neumaier's sum: as exact as if the additions were made in twice the precision and rounded once.
class CompensatedSum {
 public:
  void Add(double term) {
    const double sum = sum_ + term;
    lost_ += std::abs(sum_) >= std::abs(term) ? (sum_ - sum) + term : (term - sum) + sum_;
    sum_ = sum;
  }
  /// An infinite sum has lost NaN: it stays what it is.
  double Value() const { return std::isfinite(sum_) ? sum_ + lost_ : sum_; }

 private:
  double sum_ = 0;
  double lost_ = 0;
};

/// Adds up slots of `size` sums each, in order.
inline std::vector<double> SumSlots(const std::vector<double>& slots, std::size_t size) {
  std::vector<double> sums(size);
  for (std::size_t i = 0; i < size; ++i) {
    CompensatedSum sum;
    for (std::size_t at = i; at < slots.size(); at += size) sum.Add(slots[at]);
    sums[i] = sum.Value();
  }
  return sums;
}

}  // namespace pike

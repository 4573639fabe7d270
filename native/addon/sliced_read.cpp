#include "addon/sliced_read.h"

#include <chrono>
#include <unordered_map>
#include <utility>

namespace pike {
namespace {

constexpr std::chrono::microseconds kSlice{400};

/// Elements of all rows that are read between two looks at the arrays: some tenths of a millisecond.
constexpr std::int64_t kElements = std::int64_t{1} << 20;

}  // namespace

SlicedRead::SlicedRead(std::shared_ptr<SharedResources> shared, const MomentsInput& input, SlicedCopy& copy)
    : shared_(std::move(shared)), input_(input), run_(input) {
  const std::unordered_map<const void* const*, std::size_t> known = copy.numbers();
  const auto add = [&](const RowPointers& row) {
    for (const void* const& pointer : row) {
      const auto found = known.find(&pointer);
      numbers_.push_back(found == known.end() ? -1 : static_cast<std::int64_t>(found->second));
    }
  };
  for (const RowPointers& row : input.rows) add(row);
  if (input.preconditioner) add(input.preconditioner->tensors);
  arrays_ = copy.Take();
}

Status SlicedRead::Continue() {
  const auto until = std::chrono::steady_clock::now() + kSlice;
  do {
    if (Status status = Look(run_.Offer(kElements)); !status.ok()) return status;
    done_ = run_.Continue(shared_->threads, never_, until);
  } while (!done_ && std::chrono::steady_clock::now() < until);
  if (done_) arrays_.Clear();
  return {};
}

Status SlicedRead::Finish() {
  while (!done_) {
    if (Status status = Continue(); !status.ok()) return status;
  }
  return {};
}

/// At every array that these columns lie in.
Status SlicedRead::Look(const std::vector<MomentsRun::Range>& ranges) const {
  const std::size_t tensors = input_.layout.tensors().size();
  std::vector<std::size_t> read;
  for (const MomentsRun::Range& range : ranges) {
    for (std::size_t t = input_.layout.TensorAt(range.begin);
         t < tensors && input_.layout.tensors()[t].begin < range.end; ++t) {
      for (std::size_t at = t; at < numbers_.size(); at += tensors) {
        if (numbers_[at] >= 0) read.push_back(static_cast<std::size_t>(numbers_[at]));
      }
    }
  }
  return arrays_.Look(read);
}

Status SlicedRead::ToMoments(const Cancellation& cancellation, Moments* moments) {
  return run_.Finish(cancellation, moments);
}

}  // namespace pike

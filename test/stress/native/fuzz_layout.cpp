// Layouts of any lengths: refused, or a run of columns that every piece covers once and in order.
#include <cstdint>
#include <vector>

#include "core/layout.h"
#include "fuzz.h"

using namespace pike;

namespace {

std::int64_t Length(Random& random) {
  switch (random.Below(8)) {
    case 0:
      return 0;
    case 1:
      return kMaxLength - random.Below(3);
    case 2:
      return random.One<std::int64_t>({INT64_MAX, INT64_MIN, -1, kMaxLength + 1, kMaxLength / 2});
    case 3:
      return static_cast<std::int64_t>(random.Bits());
    default:
      return random.Below(300);
  }
}

/// Whether they sum to at most kMaxLength, found without a sum that could overflow.
bool IsValid(const std::vector<std::int64_t>& lengths) {
  std::int64_t left = kMaxLength;
  for (const std::int64_t length : lengths) {
    if (length < 0 || length > left) return false;
    left -= length;
  }
  return true;
}

void CheckTensors(const Layout& layout, const std::vector<std::int64_t>& lengths) {
  std::int64_t begin = 0;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const Layout::Tensor& tensor = layout.tensors()[t];
    if (tensor.begin != begin || tensor.length != lengths[t]) Fail("tensor %zu is elsewhere", t);
    if (lengths[t] > 0) {
      if (layout.TensorAt(begin) != t) Fail("the first column of tensor %zu is in another", t);
      if (layout.TensorAt(begin + lengths[t] - 1) != t)
        Fail("the last column of tensor %zu is in another", t);
    }
    begin += lengths[t];
  }
  if (layout.length() != begin) Fail("the layout has %lld columns", static_cast<long long>(layout.length()));
}

void CheckPieces(const Layout& layout, std::int64_t begin, std::int64_t end, std::int64_t step,
                 std::int64_t most) {
  std::int64_t column = begin;
  std::int64_t pieces = 0;
  layout.ForEachPiece(begin, end, step, [&](std::size_t t, std::int64_t offset, std::int64_t count) {
    const Layout::Tensor& tensor = layout.tensors()[t];
    if (tensor.begin + offset != column) Fail("a piece begins at another column");
    if (count < 1 || count > step || offset < 0 || count > tensor.length - offset)
      Fail("a piece of %lld columns", static_cast<long long>(count));
    column += count;
    return ++pieces < most;
  });
  if (pieces < most && column != (begin < end ? end : begin)) Fail("columns were left out");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Random random = RandomOf(data, size);
  std::vector<Dtype> dtypes;
  std::vector<std::int64_t> lengths;
  const std::int64_t tensors = random.Below(12);
  for (std::int64_t t = 0; t < tensors; ++t) {
    dtypes.push_back(static_cast<Dtype>(random.Below(kDtypes)));
    lengths.push_back(Length(random));
  }
  if (random.Below(16) == 0) dtypes.push_back(Dtype::kFloat32);

  const std::optional<Layout> layout = Layout::Create(dtypes, lengths);
  const bool valid = dtypes.size() == lengths.size() && IsValid(lengths);
  if (layout.has_value() != valid) Fail("a layout was %s", valid ? "refused" : "accepted");
  if (!layout) return 0;
  CheckTensors(*layout, lengths);
  for (int i = 0; i < 4; ++i) {
    const std::int64_t begin = random.Below(layout->length() + 1);
    const std::int64_t end = begin + random.Below(layout->length() - begin + 1);
    CheckPieces(*layout, begin, end, 1 + random.Below(600), 1000);
  }
  return 0;
}

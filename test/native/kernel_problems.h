// Problems for the CPU kernels: random gradients of random shapes and hostile data in memory that ends where
// they do, the same measured in plain loops over doubles, and how far an answer is from that.
#pragma once

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "core/half.h"
#include "core/moments.h"
#include "cpu/moment_stream.h"

namespace pike {

/// A generator of numbers. Choices come from bytes that were handed in, for as long as there are any, so that
/// a fuzzer can make them.
class Random {
 public:
  explicit Random(std::uint64_t seed, const std::uint8_t* choices = nullptr, std::size_t count = 0)
      : state_(seed), choices_(choices), left_(count) {}
  std::uint64_t Bits() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(Choice() % static_cast<std::uint64_t>(n));
  }
  double Unit() { return static_cast<double>(Bits() >> 11) * 0x1p-53; }
  template <typename T>
  T One(std::initializer_list<T> of) {
    return of.begin()[Below(static_cast<std::int64_t>(of.size()))];
  }

 private:
  std::uint64_t Choice() {
    if (left_ < 2) return Bits();
    left_ -= 2;
    const std::uint64_t low = *choices_++;
    return low | static_cast<std::uint64_t>(*choices_++) << 8;
  }

  std::uint64_t state_;
  const std::uint8_t* choices_;
  std::size_t left_;
};

inline std::uint16_t ToBFloat16(double x) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) >> 16);
}
/// Toward zero; what is too large or too small for it becomes the largest, or zero.
inline std::uint16_t ToFloat16(double x) {
  if (!std::isfinite(x)) return std::isnan(x) ? 0x7e00 : x > 0 ? 0x7c00 : 0xfc00;
  const std::uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double magnitude = std::min(std::abs(x), 65504.0);
  std::uint16_t low = 0, high = 0x7c00;
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (FromFloat16(middle) <= static_cast<float>(magnitude) ? low : high) = middle;
  }
  return sign | low;
}

/// One tensor, in memory that ends where it does and begins at any element.
class Tensor {
 public:
  Tensor(Dtype dtype, const std::vector<double>& values, Random& random) : dtype_(dtype) {
    const auto size = static_cast<std::size_t>(SizeOf(dtype));
    const auto before = static_cast<std::size_t>(random.Below(4)) * size;
    memory_.reset(static_cast<char*>(std::malloc(before + values.size() * size)));
    begin_ = values.empty() ? nullptr : memory_.get() + before;
    for (std::size_t j = 0; j < values.size(); ++j) Write(begin_ + j * size, values[j]);
  }
  const void* begin() const { return begin_; }
  /// Rounded to what the dtype has.
  void Set(std::size_t j, double x) { Write(begin_ + j * static_cast<std::size_t>(SizeOf(dtype_)), x); }
  double operator[](std::size_t j) const {
    const char* const at = begin_ + j * static_cast<std::size_t>(SizeOf(dtype_));
    switch (dtype_) {
      case Dtype::kFloat32:
        return *reinterpret_cast<const float*>(at);
      case Dtype::kFloat64:
        return *reinterpret_cast<const double*>(at);
      case Dtype::kBFloat16:
        return FromBFloat16(*reinterpret_cast<const std::uint16_t*>(at));
      case Dtype::kFloat16:
        break;
    }
    return FromFloat16(*reinterpret_cast<const std::uint16_t*>(at));
  }

 private:
  void Write(char* at, double x) const {
    const auto f = std::isfinite(x) ? static_cast<float>(std::clamp(x, -3e38, 3e38)) : static_cast<float>(x);
    const std::uint16_t half = dtype_ == Dtype::kFloat16 ? ToFloat16(x) : ToBFloat16(f);
    if (dtype_ == Dtype::kFloat64) {
      std::memcpy(at, &x, 8);
    } else if (dtype_ == Dtype::kFloat32) {
      std::memcpy(at, &f, 4);
    } else {
      std::memcpy(at, &half, 2);
    }
  }
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  Dtype dtype_;
  std::unique_ptr<char, Free> memory_;
  char* begin_ = nullptr;
};

using Row = std::vector<Tensor>;
inline RowPointers Pointers(const Row& row) {
  RowPointers pointers;
  for (const Tensor& tensor : row) pointers.push_back(tensor.begin());
  return pointers;
}

enum Kind { kNormal, kConstant, kSpread, kOneHuge, kTiny, kLonelyTiny, kHuge, kAlternating, kZeros, kKinds };
inline const char* const kKindNames[] = {"random",        "constant", "twelve orders", "one huge", "tiny",
                                         "zeros but one", "huge",     "alternating",   "zeros"};

inline double Element(Kind kind, double level, std::size_t j, std::size_t lonely, Random& random) {
  const double x = 2 * random.Unit() - 1 + 0.3 * std::sin(static_cast<double>(j));
  switch (kind) {
    case kConstant:
      return level;
    case kSpread:
      return x * std::pow(10, static_cast<double>(j % 13) - 6);
    case kOneHuge:
      return j == lonely ? (level > 0.5 ? 1e18 : 1e30) : 1;
    case kTiny:
      return x * (level > 0.5 ? 1e-25 : 1e-30);
    case kLonelyTiny:
      return j == lonely ? 1e-25 : 0;
    case kHuge:
      return x * 1e25;
    case kAlternating:
      return j % 2 ? level : -level;
    case kZeros:
      return random.Below(2) ? 0.0 : -0.0;
    default:
      return x;
  }
}

struct Problem {
  MomentsInput input;
  std::vector<Row> rows;
  Row metric;
  std::vector<double> largest;  // u_k²
  Moments expected;
  double epsilon;
  double stream_epsilon;

  Row CopyOfMetric() const {
    Row copy;
    for (std::size_t t = 0; t < metric.size(); ++t) {
      const auto& [dtype, length, begin] = input.preconditioner->layout.tensors()[t];
      std::vector<double> values;
      for (std::size_t j = 0; j < static_cast<std::size_t>(length); ++j) values.push_back(metric[t][j]);
      Random at_the_start(0);
      copy.emplace_back(dtype, values, at_the_start);
    }
    return copy;
  }
};

inline Row MakeRow(const std::vector<Dtype>& dtypes, const std::vector<std::int64_t>& lengths, Kind kind,
                   Random& random) {
  Row row;
  const double level = random.Unit() + 0.01;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    std::vector<double> values(static_cast<std::size_t>(lengths[t]));
    const auto lonely = static_cast<std::size_t>(random.Below(lengths[t] + 1));
    for (std::size_t j = 0; j < values.size(); ++j) values[j] = Element(kind, level, j, lonely, random);
    row.emplace_back(dtypes[t], values, random);
  }
  return row;
}

inline Row MakeMetric(const std::vector<Dtype>& dtypes, const std::vector<std::int64_t>& lengths,
                      Random& random) {
  Row row;
  for (std::size_t t = 0; t < lengths.size(); ++t) {
    const int kind = static_cast<int>(random.Below(3));
    std::vector<double> values(static_cast<std::size_t>(lengths[t]));
    for (double& x : values) {
      x = random.Unit() + 0.1;
      if (kind == 1 && random.Below(3) == 0) x = random.One({0.0, 1e20, 1e-20});
      if (kind == 2) x *= dtypes[t] == Dtype::kFloat64 ? random.One({1e60, 1e-60, 1e-90}) : 1.0;
    }
    row.emplace_back(dtypes[t], values, random);
  }
  return row;
}

/// As lib/backends/reference.ts does.
inline void Expect(Problem& problem) {
  const MomentsInput& input = problem.input;
  const std::size_t tasks = input.rows_per_task.size();
  Moments& m = problem.expected;
  m.deviation.resize(tasks);
  m.mean_inner.emplace(tasks * tasks);
  m.row_deviation.emplace(input.rows.size());
  m.row_alignment.emplace(input.rows.size());
  std::vector<double> norms(input.rows.size());
  std::vector<double> mean(tasks);
  for (std::size_t t = 0; t < input.layout.tensors().size(); ++t) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(input.layout.tensors()[t].length); ++j) {
      const double D = input.preconditioner ? problem.metric[t][j] : 1;
      std::size_t first = 0;
      for (std::size_t k = 0; k < tasks; ++k) {
        const std::size_t end = first + static_cast<std::size_t>(input.rows_per_task[k]);
        double n = 0;
        for (std::size_t i = first; i < end; ++i) n += input.samples[i];
        mean[k] = 0;
        for (std::size_t i = first; i < end; ++i) mean[k] += input.samples[i] / n * problem.rows[i][t][j];
        for (std::size_t i = first; i < end; ++i) {
          const double x = problem.rows[i][t][j];
          const double away = x - mean[k];
          m.deviation[k] += input.samples[i] * away * D * away;
          (*m.row_deviation)[i] += away * D * away;
          (*m.row_alignment)[i] += away * D * mean[k];
          norms[i] += x * D * x;
        }
        for (std::size_t l = 0; l <= k; ++l) (*m.mean_inner)[l * tasks + k] += mean[l] * D * mean[k];
        first = end;
      }
    }
  }
  std::size_t i = 0;
  for (const std::int32_t rows : input.rows_per_task) {
    double largest = 0;
    for (std::int32_t r = 0; r < rows; ++r) largest = std::max(largest, norms[i++]);
    problem.largest.push_back(largest);
  }
}

/// `longest`: of the tensors that may have any length. Beyond `most` elements in all, no further row is
/// added.
inline Problem MakeProblem(Kind kind, Random& random, std::int64_t longest = 5000,
                           std::int64_t most = INT64_MAX) {
  Problem problem;
  MomentsInput& input = problem.input;
  std::vector<Dtype> dtypes;
  std::vector<std::int64_t> lengths;
  const int shape = static_cast<int>(random.Below(4));
  const std::int64_t tensors = shape == 0 ? 40 : 1 + random.Below(3);
  const bool doubles_only = random.Below(5) == 0;
  for (std::int64_t t = 0; t < tensors; ++t) {
    constexpr Dtype kAll[] = {Dtype::kFloat32, Dtype::kBFloat16, Dtype::kFloat16, Dtype::kFloat64};
    dtypes.push_back(doubles_only ? Dtype::kFloat64 : kAll[random.Below(shape == 1 ? 4 : 3)]);
    lengths.push_back(shape == 0
                          ? random.Below(20)
                          : random.One<std::int64_t>({0, 1, 15, 16, 17, 255, 511, 512, 513, 1024, 2047, 2049,
                                                      random.Below(300), 1 + random.Below(longest)}));
  }
  input.layout = *Layout::Create(dtypes, lengths);
  const int crowd = static_cast<int>(random.Below(8));
  const std::int64_t tasks = crowd == 0 ? 1 + random.Below(70) : 1 + random.Below(9);
  for (std::int64_t k = 0; k < tasks; ++k) {
    std::int64_t m = crowd == 0 ? random.Below(3) : random.Below(18) % random.One<std::int64_t>({3, 6, 18});
    if (crowd == 1 && k == 0) m = random.One<std::int64_t>({100, 192, 193, 513});
    m = std::min(m, std::max<std::int64_t>(most / std::max<std::int64_t>(input.layout.length(), 1) -
                                               static_cast<std::int64_t>(input.rows.size()),
                                           0));
    input.rows_per_task.push_back(static_cast<std::int32_t>(m));
    for (std::int64_t i = 0; i < m; ++i) {
      input.samples.push_back(1 + static_cast<double>(random.Below(9)));
      problem.rows.push_back(MakeRow(dtypes, lengths, kind, random));
      input.rows.push_back(Pointers(problem.rows.back()));
    }
  }
  if (random.Below(3) == 0) {
    std::vector<Dtype> of;
    for (std::int64_t t = 0; t < tensors; ++t) of.push_back(static_cast<Dtype>(random.Below(kDtypes)));
    problem.metric = MakeMetric(of, lengths, random);
    input.preconditioner = TypedRow{*Layout::Create(of, lengths), Pointers(problem.metric)};
  }
  input.inner = random.Below(3) > 0;
  input.row_scalars = random.Below(2) > 0;
  const bool doubles =
      std::all_of(dtypes.begin(), dtypes.end(), [](Dtype dtype) { return dtype == Dtype::kFloat64; });
  problem.epsilon = doubles ? 1e-12 : 1.6e-5;
  problem.stream_epsilon = input.layout.has_float64() ? 1e-12 : 1.6e-5;
  Expect(problem);
  return problem;
}

/// The largest error as a share of the promise; infinite where one is not finite.
inline double WorstShare(const Moments& actual, const Problem& problem, double epsilon) {
  const std::size_t tasks = problem.largest.size();
  double worst = 0;
  const auto compare = [&](double a, double b, double scale) {
    const double error = std::abs(a - b);
    if (error == 0) return;
    worst = error <= DBL_MAX ? std::max(worst, error / (epsilon * scale)) : HUGE_VAL;
  };
  std::size_t row = 0;
  for (std::size_t k = 0; k < tasks; ++k) {
    const double u = problem.largest[k];
    double n = 0;
    for (std::int32_t i = 0; i < problem.input.rows_per_task[k]; ++i, ++row) {
      n += problem.input.samples[row];
      if (!actual.row_deviation) continue;
      // No promise is made of these; d may be as long as 2u.
      compare((*actual.row_deviation)[row], (*problem.expected.row_deviation)[row], 4 * u);
      compare((*actual.row_alignment)[row], (*problem.expected.row_alignment)[row], 4 * u);
    }
    compare(actual.deviation[k], problem.expected.deviation[k], n * u);
    compare(actual.mean_norm_squared[k], (*problem.expected.mean_inner)[k * tasks + k], u);
    if (!actual.mean_inner) continue;
    for (std::size_t l = 0; l < k; ++l) {
      const double scale = std::sqrt(problem.largest[l]) * std::sqrt(u);
      compare((*actual.mean_inner)[l * tasks + k], (*problem.expected.mean_inner)[l * tasks + k], scale);
      compare((*actual.mean_inner)[k * tasks + l], (*problem.expected.mean_inner)[l * tasks + k], scale);
    }
  }
  return worst;
}

/// Bit by bit, so that NaN equals itself.
inline bool AreSame(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * 8) == 0);
}
inline bool AreSame(const std::optional<std::vector<double>>& a,
                    const std::optional<std::vector<double>>& b) {
  return a.has_value() == b.has_value() && (!a || AreSame(*a, *b));
}
inline bool AreSame(const Moments& a, const Moments& b) {
  return AreSame(a.deviation, b.deviation) && AreSame(a.mean_norm_squared, b.mean_norm_squared) &&
         AreSame(a.mean_inner, b.mean_inner) && AreSame(a.row_deviation, b.row_deviation) &&
         AreSame(a.row_alignment, b.row_alignment);
}

inline bool Stream(const Problem& problem, ThreadPool& pool, int threads, Moments* moments) {
  const MomentsInput& input = problem.input;
  const Cancellation none;
  MomentStream stream(input.rows_per_task.size(), input.layout, input.inner);
  std::size_t row = 0;
  for (std::size_t k = 0; k < input.rows_per_task.size(); ++k) {
    for (std::int32_t i = 0; i < input.rows_per_task[k]; ++i, ++row) {
      if (!stream.Add(k, input.rows[row], input.samples[row], input.preconditioner, pool, threads, none).ok())
        return false;
    }
  }
  return stream.Collect(pool, threads, none, moments).ok();
}

}  // namespace pike

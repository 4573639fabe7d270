#include "cpu/memory_probe.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstring>

#if defined(__GNUC__) && defined(__x86_64__)
#define PIKE_PROBE_X86
#include <immintrin.h>
#endif

namespace pike {
namespace {

constexpr std::int64_t kStreams = 8;
constexpr std::int64_t kLine = 64;
/// Bytes that a thread takes at a time: long beside the start of a stream, short enough to share out evenly.
constexpr std::int64_t kPieceBytes = std::int64_t{2} << 20;
/// What one round of a reading loop takes: a line of each of eight streams, or eight lines of one.
constexpr std::int64_t kRound = kStreams * kLine;
#if defined(PIKE_PROBE_X86)
constexpr std::int64_t kPrefetchAhead = 16 * kLine;
#endif

/// Sums the words of `bytes`, a multiple of kRound.
using Reader = std::uint64_t (*)(const std::byte* data, std::int64_t bytes);
using Updater = void (*)(float* mean, const float* gradient, std::int64_t length, float scale);

std::uint64_t Word(const std::byte* data, std::size_t bytes = 8) {
  std::uint64_t word = 0;
  std::memcpy(&word, data, bytes);
  return word;
}

std::uint64_t ReadOnePortable(const std::byte* data, std::int64_t bytes) {
  std::uint64_t sum[8] = {};
  for (std::int64_t at = 0; at < bytes; at += kLine)
    for (int i = 0; i < 8; ++i) sum[i] += Word(data + at + 8 * i);
  std::uint64_t total = 0;
  for (const std::uint64_t each : sum) total += each;
  return total;
}

std::uint64_t ReadEightPortable(const std::byte* data, std::int64_t bytes) {
  const std::int64_t share = bytes / kStreams;
  std::uint64_t sum[kStreams] = {};
  for (std::int64_t at = 0; at < share; at += kLine)
    for (std::int64_t s = 0; s < kStreams; ++s)
      for (int i = 0; i < 8; ++i) sum[s] += Word(data + s * share + at + 8 * i);
  std::uint64_t total = 0;
  for (const std::uint64_t each : sum) total += each;
  return total;
}

void UpdatePortable(float* mean, const float* gradient, std::int64_t length, float scale) {
  for (std::int64_t j = 0; j < length; ++j) mean[j] += scale * (gradient[j] - mean[j]);
}

#if defined(PIKE_PROBE_X86)

#define PIKE_AVX512 __attribute__((target("avx512f")))
#define PIKE_AVX2 __attribute__((target("avx2")))

PIKE_AVX512 inline std::uint64_t Total(const __m512i (&sum)[8]) {
  __m512i all = sum[0];
  for (int i = 1; i < 8; ++i) all = _mm512_add_epi64(all, sum[i]);
  std::uint64_t words[8];
  _mm512_storeu_si512(words, all);
  return words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + words[6] + words[7];
}

PIKE_AVX2 inline std::uint64_t Total(const __m256i (&sum)[8]) {
  __m256i all = sum[0];
  for (int i = 1; i < 8; ++i) all = _mm256_add_epi64(all, sum[i]);
  std::uint64_t words[4];
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), all);
  return words[0] + words[1] + words[2] + words[3];
}

PIKE_AVX512 std::uint64_t ReadOneAvx512(const std::byte* data, std::int64_t bytes) {
  __m512i sum[8] = {};
  for (std::int64_t at = 0; at < bytes; at += kRound) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) sum[i] = _mm512_add_epi64(sum[i], _mm512_loadu_si512(data + at + i * kLine));
  }
  return Total(sum);
}

PIKE_AVX512 std::uint64_t ReadEightAvx512(const std::byte* data, std::int64_t bytes) {
  const std::int64_t share = bytes / kStreams;
  __m512i sum[8] = {};
  for (std::int64_t at = 0; at < share; at += kLine) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const std::byte* const from = data + s * share + at;
      _mm_prefetch(reinterpret_cast<const char*>(from + kPrefetchAhead), _MM_HINT_T0);
      sum[s] = _mm512_add_epi64(sum[s], _mm512_loadu_si512(from));
    }
  }
  return Total(sum);
}

PIKE_AVX2 inline __m256i Load(const std::byte* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}

PIKE_AVX2 std::uint64_t ReadOneAvx2(const std::byte* data, std::int64_t bytes) {
  __m256i sum[8] = {};
  for (std::int64_t at = 0; at < bytes; at += kRound / 2) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) sum[i] = _mm256_add_epi64(sum[i], Load(data + at + i * kLine / 2));
  }
  return Total(sum);
}

PIKE_AVX2 std::uint64_t ReadEightAvx2(const std::byte* data, std::int64_t bytes) {
  const std::int64_t share = bytes / kStreams;
  __m256i sum[8] = {};
  for (std::int64_t at = 0; at < share; at += kLine) {
#pragma GCC unroll 8
    for (int s = 0; s < 8; ++s) {
      const std::byte* const from = data + s * share + at;
      _mm_prefetch(reinterpret_cast<const char*>(from + kPrefetchAhead), _MM_HINT_T0);
      sum[s] = _mm256_add_epi64(sum[s], _mm256_add_epi64(Load(from), Load(from + kLine / 2)));
    }
  }
  return Total(sum);
}

PIKE_AVX512 void UpdateAvx512(float* mean, const float* gradient, std::int64_t length, float scale) {
  const __m512 factor = _mm512_set1_ps(scale);
  std::int64_t j = 0;
  for (; j + 64 <= length; j += 64) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      float* const to = mean + j + 16 * i;
      const __m512 old = _mm512_loadu_ps(to);
      const __m512 difference = _mm512_sub_ps(_mm512_loadu_ps(gradient + j + 16 * i), old);
      _mm512_storeu_ps(to, _mm512_fmadd_ps(factor, difference, old));
    }
  }
  UpdatePortable(mean + j, gradient + j, length - j, scale);
}

PIKE_AVX2 void UpdateAvx2(float* mean, const float* gradient, std::int64_t length, float scale) {
  const __m256 factor = _mm256_set1_ps(scale);
  std::int64_t j = 0;
  for (; j + 32 <= length; j += 32) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      float* const to = mean + j + 8 * i;
      const __m256 old = _mm256_loadu_ps(to);
      const __m256 difference = _mm256_sub_ps(_mm256_loadu_ps(gradient + j + 8 * i), old);
      _mm256_storeu_ps(to, _mm256_add_ps(old, _mm256_mul_ps(factor, difference)));
    }
  }
  UpdatePortable(mean + j, gradient + j, length - j, scale);
}

#endif

struct Loops {
  const char* instruction_set;
  Reader read_one;
  Reader read_eight;
  Updater update;
};

Loops Choose() {
#if defined(PIKE_PROBE_X86)
  if (__builtin_cpu_supports("avx512f")) return {"AVX-512", ReadOneAvx512, ReadEightAvx512, UpdateAvx512};
  if (__builtin_cpu_supports("avx2")) return {"AVX2", ReadOneAvx2, ReadEightAvx2, UpdateAvx2};
#endif
  return {"portable C++", ReadOnePortable, ReadEightPortable, UpdatePortable};
}

const Loops& Best() {
  static const Loops loops = Choose();
  return loops;
}

struct Piece {
  const std::byte* data;
  std::int64_t bytes;
};

std::vector<Piece> CutUp(const std::vector<ProbedMemory>& memory) {
  std::vector<Piece> pieces;
  for (const ProbedMemory& each : memory)
    for (std::int64_t at = 0; at < each.bytes; at += kPieceBytes)
      pieces.push_back(
          {static_cast<const std::byte*>(each.data) + at, std::min(kPieceBytes, each.bytes - at)});
  return pieces;
}

std::uint64_t ReadPiece(const Piece& piece, Reader reader) {
  const std::int64_t whole = piece.bytes / kRound * kRound;
  std::uint64_t sum = reader(piece.data, whole);
  for (std::int64_t at = whole; at < piece.bytes; at += 8)
    sum += Word(piece.data + at, static_cast<std::size_t>(std::min<std::int64_t>(8, piece.bytes - at)));
  return sum;
}

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

}  // namespace

ReadResult ProbeRead(const std::vector<ProbedMemory>& memory, bool eight_streams, ThreadPool& pool,
                     int threads) {
  const Reader reader = eight_streams ? Best().read_eight : Best().read_one;
  const std::vector<Piece> pieces = CutUp(memory);
  std::vector<std::uint64_t> sums(pieces.size());
  const Clock::time_point begin = Clock::now();
  pool.ParallelFor(static_cast<std::int64_t>(pieces.size()), threads, [&](std::int64_t index, int) {
    const auto i = static_cast<std::size_t>(index);
    sums[i] = ReadPiece(pieces[i], reader);
  });
  ReadResult result{Since(begin), 0};
  for (const std::uint64_t sum : sums) result.checksum += sum;
  return result;
}

double ProbeUpdate(float* mean, const float* gradient, std::int64_t length, float scale, ThreadPool& pool,
                   int threads) {
  constexpr std::int64_t kPiece = kPieceBytes / static_cast<std::int64_t>(sizeof(float));
  const Updater update = Best().update;
  const Clock::time_point begin = Clock::now();
  pool.ParallelFor((length + kPiece - 1) / kPiece, threads, [&](std::int64_t index, int) {
    const std::int64_t at = index * kPiece;
    update(mean + at, gradient + at, std::min(kPiece, length - at), scale);
  });
  return Since(begin);
}

const char* ProbeInstructionSet() { return Best().instruction_set; }

}  // namespace pike

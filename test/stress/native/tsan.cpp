// What several threads share, under ThreadSanitizer: one pool for the measurements of several environments,
// cancellation from outside, streams, and the places that threads take on processors.
//
// Usage: tsan SECONDS SEED
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "cpu/moment_stream.h"
#include "cpu/moments.h"
#include "cpu/own_processor.h"
#include "cpu/short_turns.h"
#include "cpu/thread_pool.h"
#include "kernel_problems.h"

using namespace pike;

namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> good{true};
std::atomic<long> rounds{0};

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  good = false;
}

/// Cancels, sometimes, while the other threads compute.
class Canceller {
 public:
  Canceller(Cancellation& cancellation, int microseconds)
      : thread_([&cancellation, microseconds] {
          std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
          cancellation.Cancel();
        }) {}
  ~Canceller() { thread_.join(); }

 private:
  std::thread thread_;
};

/// As an environment's executor: one measurement after the other, over the pool of all.
void Measure(ThreadPool& pool, std::uint64_t seed, Clock::time_point until) {
  TakeShortTurns();
  Random random(seed);
  while (Clock::now() < until && good) {
    Problem problem = MakeProblem(static_cast<Kind>(random.Below(kKinds)), random, 40'000, 400'000);
    MomentsInput& input = problem.input;
    Moments alone, together;
    input.threads = 1;
    const Cancellation none;
    Expect(ComputeMoments(input, pool, none, &alone).ok(), "refused");
    input.threads = 2 + static_cast<int>(random.Below(4));
    Expect(ComputeMoments(input, pool, none, &together).ok(), "refused");
    Expect(AreSame(alone, together), "other bits with other threads");

    Cancellation cancellation;
    {
      const Canceller canceller(cancellation, static_cast<int>(random.Below(2000)));
      Moments moments;
      const Status status = ComputeMoments(input, pool, cancellation, &moments);
      Expect(status.ok() ? AreSame(alone, moments) : status.code == StatusCode::kAborted, "half a result");
    }

    MomentsRun run(input);
    do {
      run.Offer(1 + random.Below(200'000));
    } while (!run.Continue(pool, none, Clock::now() + std::chrono::microseconds(random.Below(300))));
    Expect(run.Finish(none, &together).ok() && AreSame(alone, together), "other bits in slices");

    Moments streamed, again;
    Expect(Stream(problem, pool, 3, &streamed) && Stream(problem, pool, 2, &again), "a stream was refused");
    Expect(AreSame(streamed, again), "other bits of a stream");
    ++rounds;
  }
}

/// Loops of a pool that comes and goes, some of them within others.
void Loops(std::uint64_t seed, Clock::time_point until) {
  Random random(seed);
  while (Clock::now() < until && good) {
    ThreadPool pool;
    for (int i = 0; i < 20; ++i) {
      const std::int64_t count = random.Below(50);
      std::vector<int> calls(static_cast<std::size_t>(count));
      const int threads = 1 + static_cast<int>(random.Below(6));
      std::vector<std::int64_t> by_slot(static_cast<std::size_t>(threads));
      pool.ParallelFor(count, threads, [&](std::int64_t index, int slot) {
        calls[static_cast<std::size_t>(index)]++;
        by_slot[static_cast<std::size_t>(slot)]++;
        if (index % 7 == 0) pool.ParallelFor(3, 2, [](std::int64_t, int) { ThreadPool::GiveWay(); });
      });
      std::int64_t total = 0;
      for (const std::int64_t n : by_slot) total += n;
      for (const int n : calls) Expect(n == 1, "an index was taken twice, or not at all");
      Expect(total == count, "a slot was shared");
    }
    ++rounds;
  }
}

void Settle(OwnProcessors& processors, int slot, Clock::time_point until) {
  while (Clock::now() < until) {
    processors.Settle(slot);
    std::this_thread::yield();
  }
}

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 10;
  const auto seed = static_cast<std::uint64_t>(count > 2 ? std::atol(arguments[2]) : 1);
  const auto until =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  ThreadPool pool;
  OwnProcessors processors;
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 3; ++i) threads.emplace_back(Measure, std::ref(pool), seed * 100 + i, until);
  threads.emplace_back(Loops, seed * 100 + 50, until);
  for (int slot = 0; slot < 2; ++slot) threads.emplace_back(Settle, std::ref(processors), slot, until);
  for (std::thread& thread : threads) thread.join();
  std::printf("%ld rounds\n", rounds.load());
  return good && rounds > 0 ? 0 : 1;
}

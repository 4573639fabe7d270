// Observes a gradient of each of many tasks while there is room for their means, and then asks for the
// products of all pairs where LIMIT, a file of the control group, leaves 100 MiB. Usage: collect_limit LIMIT
// TASKS
#include <cstdio>
#include <cstdlib>
#include <new>

#include "cpu/kernel_tables.h"
#include "cpu/moment_stream.h"

#if defined(PIKE_X86_64)
// To be run with the portable kernels: the others take long to compile.
const pike::Kernels pike::kAvx2Kernels = {};
const pike::Kernels pike::kAvx512Kernels = {};
#endif

using namespace pike;

int main(int count, char** arguments) {
  if (count != 3) return 2;
  const auto tasks = static_cast<std::size_t>(std::atoll(arguments[2]));
  constexpr std::int64_t length = 64;
  constexpr int threads = 1;
  ThreadPool pool;
  const Cancellation never;
  MomentStream stream(tasks, *Layout::Create({Dtype::kFloat32}, {length}), true);
  const std::vector<float> gradient(length, 1.0f);
  for (std::size_t k = 0; k < tasks; ++k)
    if (!stream.Add(k, {gradient.data()}, 1, std::nullopt, pool, threads, never).ok()) return 3;
  std::FILE* const limit = std::fopen(arguments[1], "w");
  if (limit == nullptr) return 4;
  std::fputs("104857600\n", limit);
  std::fclose(limit);
  try {
    Moments moments;
    const Status status = stream.Collect(pool, threads, never, &moments);
    std::puts(status.ok() ? "had" : status.message.c_str());
  } catch (const std::bad_alloc&) {
    std::puts("refused");
  }
}

#include "cuda/finish.h"

#include "cuda/tail.h"
#include "cuda/warp_team.h"
#include "math/update.h"

namespace pike::cuda {
namespace {

/// One update of the weights by the first warp; called by all threads of one block. What was in shared memory
/// is gone then, so nobody may have read it since the last barrier.
/// @param moments where deviation_k and ‖ḡ_k‖² are, from `deviation` and `norm` on: stored before the last
///   barrier, or deviation_k by the thread k mod kThreads, which loads it here
// Not inlined: it is large, and has two callers.
__device__ __attribute__((noinline)) void SolveWeights(const Update& update, int tasks,
                                                       Global<double> moments, std::int64_t deviation,
                                                       std::int64_t norm) {
  const Shared<double> shared = SharedAt<double>(0);
  constexpr int kInputs = int{math::kMomentParts};
  constexpr int kOutputs = kInputs + int{math::kInputParts};
  constexpr int kScratch = kOutputs + int{math::kOutputParts};
  const math::UpdateArrays<Shared<double>> arrays = {tasks, shared, shared + kInputs * tasks,
                                                     shared + kOutputs * tasks, shared + kScratch * tasks};
  for (int k = threadIdx.x; k < tasks; k += kThreads) {
    math::Part(arrays.moments, math::kMicroBatches, tasks)[k] = update.counts[k];
    math::Part(arrays.moments, math::kSamples, tasks)[k] = update.counts[tasks + k];
    math::Part(arrays.moments, math::kDeviation, tasks)[k] = moments.Load(deviation + k);
    math::Part(arrays.moments, math::kMeanNormSquared, tasks)[k] = moments.Load(norm + k);
  }
  for (int i = threadIdx.x; i < math::kInputParts * tasks; i += kThreads) {
    arrays.inputs[i] = update.inputs[i];
  }
  __syncthreads();
  if (threadIdx.x >= 32) return;
  const math::UpdateResult result = math::UpdateWeights(WarpTeam(), *update.options, arrays);
  for (int i = threadIdx.x; i < math::kOutputParts * tasks; i += 32) {
    update.outputs.Store(i, arrays.outputs[i]);
  }
  if (threadIdx.x == 0) {
    update.outputs.Store(math::kOutputParts * tasks, result.measured ? 1.0 : 0.0);
    update.outputs.Store(math::kOutputParts * tasks + 1, result.limited ? 1.0 : 0.0);
  }
}

__global__ void __launch_bounds__(kThreads) SolveMoments(SolveArguments a) {
  SolveWeights(*a.update, a.tasks, a.moments, 0, a.tasks);
}

}  // namespace

__device__ void FinishMoments(const Finish* finish_address, Global<double> group_partials, int slots,
                              int groups) {
  const Finish& finish = *finish_address;
  for (int q = threadIdx.x; q < finish.quantities; q += kThreads) {
    const std::int64_t source = finish.sources[q];
    const double sum = source < 0 ? 0.0 : SumInOrder(group_partials, source, slots, groups);
    finish.results.Store(q, sum);
  }
  __syncthreads();
  // deviation_k = sum_i s_ki ‖g_ki − ḡ_k‖²
  for (int k = threadIdx.x; k < finish.tasks; k += kThreads) {
    double deviation = 0;
    if (finish.known_deviations.address != nullptr) {
      deviation = finish.known_deviations.Load(k);
    } else {
      const TaskRows task = finish.task_rows[k];
      for (int r = task.first; r < task.first + task.count; ++r) {
        deviation = __dadd_rn(deviation, __dmul_rn(finish.row_samples[r], finish.results.Load(r)));
      }
    }
    finish.results.Store(finish.quantities + k, deviation);
  }
  if (finish.update.options == nullptr) return;
  SolveWeights(finish.update, finish.tasks, finish.results, finish.quantities, finish.first_norm);
}

Status CheckSolvedTasks(int tasks) {
  if (tasks <= kMostSolvedTasks) return {};
  return {StatusCode::kShape, "weights of " + std::to_string(tasks) +
                                  " tasks cannot be solved in a launch, only of " +
                                  std::to_string(kMostSolvedTasks)};
}

Status LaunchSolve(const SolveArguments& arguments, Stream stream) {
  if (Status status = CheckSolvedTasks(arguments.tasks); !status.ok()) return status;
  return Launch(SolveMoments, dim3(1), kThreads, SolveSharedBytes(arguments.tasks), stream, arguments);
}

}  // namespace pike::cuda

// The streaming form on a device: running means in its memory, one micro-batch at a time (welford.h),
// products of the means at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "cuda/block_layout.h"
#include "cuda/context.h"
#include "cuda/engine.h"
#include "cuda/plan.h"

namespace pike::cuda {

class StreamedMoments final : public DeviceMomentStream {
 public:
  static Status Create(std::shared_ptr<DeviceContext> context, std::int32_t tasks, const Layout& layout,
                       bool inner, std::unique_ptr<StreamedMoments>* stream);
  ~StreamedMoments() override;

  Status Add(std::int32_t task, const RowPointers& gradient, double samples,
             const std::optional<TypedRow>& preconditioner, const RowSource& source,
             const Cancellation& cancellation) override;
  Status Collect(const Cancellation& cancellation, Moments* moments) override;
  std::int64_t bytes() const override;

  /// The sums, and with `update` the next weights.
  Status Finish(const WeightUpdate* update, DeviceResult* result);

 private:
  struct Blocks;

  StreamedMoments(std::shared_ptr<DeviceContext> context, std::int32_t tasks, const Layout& layout,
                  bool inner);
  Status Usable() const;
  Status Allocate(std::int32_t task);
  Status CheckAddresses(const RowPointers& gradient, const std::optional<TypedRow>& metric);
  Status EnqueueUpdate(std::int32_t task, double samples, bool has_metric, bool* begun);
  Status Products(const WeightUpdate* update, DeviceResult* result);
  Status Sums(const WeightUpdate* update, DeviceResult* result);

  std::shared_ptr<DeviceContext> context_;
  Layout layout_;
  bool inner_;
  ColumnPlan columns_;
  MeanLayout mean_layout_;
  std::unique_ptr<Blocks> blocks_;
  DeviceMemory memory_;  ///< Tables, state, the block of a call, workspace. Empty before the first Add.
  PinnedMemory host_;    ///< The block of a call.
  std::vector<DeviceMemory> means_;  ///< Of √D·g: one, or one per task.

  // Per task.
  std::vector<std::int32_t> micro_batches_;
  std::vector<double> samples_;
  /// Why no further call can be served: an update may have been made, or not, or in part.
  Status broken_;

  // What was looked up last: a training loop hands in the same addresses again and again.
  RowPointers known_gradient_;
  RowPointers known_metric_;
  std::vector<Dtype> known_metric_dtypes_;
};

}  // namespace pike::cuda

// One shape of measurement, ready to be run: its plan with all tables in memory of the device, workspace,
// blocks for what goes in and comes out, and from the second time on a graph of the whole step: arguments in,
// one launch, results out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/moments.h"
#include "cuda/block_layout.h"
#include "cuda/context.h"
#include "cuda/engine.h"
#include "cuda/plan.h"
#include "cuda/runtime.h"

namespace pike::cuda {

/// What one run of a measurement is given. Addresses are of the device.
struct MeasurementInput {
  std::vector<const void*> rows;             ///< [row][tensor]
  std::vector<const void*> metric;           ///< [tensor]; empty without a preconditioner
  std::vector<double> row_samples;           ///< [row] s_ki; empty where rows are given means
  const double* known_deviations = nullptr;  ///< [tasks] on the device, where rows are given means
  bool inner = false;                        ///< Products are wanted.
  const WeightUpdate* update = nullptr;
  std::vector<std::int32_t> micro_batches;  ///< [tasks] m_k
  std::vector<double> samples;              ///< [tasks] n_k
};

class Measurement {
 public:
  /// @param tensors in a row
  /// @param metric_dtypes of the tensors of the preconditioner; empty without one
  /// @param solves whether runs bring an update of the weights
  static Status Create(std::shared_ptr<DeviceContext> context, MomentsPlan plan, std::int32_t tensors,
                       const std::vector<Dtype>& metric_dtypes, bool solves,
                       std::unique_ptr<Measurement>* measurement);
  ~Measurement();
  Measurement(const Measurement&) = delete;
  Measurement& operator=(const Measurement&) = delete;

  /// Waits for the result. After an error the measurement must not be run again: what was launched may have
  /// left it in any state.
  /// @param first_invalid column of the first invalid element of the preconditioner, or −1
  Status Run(const MeasurementInput& input, DeviceResult* result, std::int64_t* first_invalid);

  const MomentsPlan& plan() const { return plan_; }
  /// Memory of the device.
  std::int64_t bytes() const { return memory_.bytes(); }

 private:
  /// Where everything lies, in types that only code that launches kernels knows.
  struct Blocks;

  Measurement(std::shared_ptr<DeviceContext> context, MomentsPlan plan, bool solves);
  Status Prepare(std::int32_t tensors, const std::vector<Dtype>& metric_dtypes);
  void Write(const MeasurementInput& input);
  Status Enqueue();
  Status Capture();
  void Read(const MeasurementInput& input, DeviceResult* result) const;

  std::shared_ptr<DeviceContext> context_;
  MomentsPlan plan_;
  bool solves_;
  std::unique_ptr<Blocks> blocks_;
  DeviceMemory memory_;  ///< Tables, then the block of the call, then the workspace.
  PinnedMemory host_;    ///< The block of the call.
  int runs_ = 0;
  runtime::GraphHandle graph_ = nullptr;
};

}  // namespace pike::cuda

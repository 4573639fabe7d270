// An update of the weights in the blocks that go to the device and come back: see Update in arguments.h.
#pragma once

#include <cstdint>
#include <vector>

#include "cuda/arguments.h"
#include "cuda/block_layout.h"
#include "cuda/engine.h"

namespace pike::cuda {

class UpdateBlock {
 public:
  UpdateBlock() = default;
  /// Adds what goes in; AddOutputs() what comes back.
  UpdateBlock(int tasks, BlockLayout* layout)
      : tasks_(tasks),
        options_(layout->Add<math::UpdateOptions>(1)),
        counts_(layout->Add<double>(2 * std::int64_t{tasks})),
        inputs_(layout->Add<double>(int{math::kInputParts} * std::int64_t{tasks})) {}
  void AddOutputs(BlockLayout* layout) {
    outputs_ = layout->Add<double>(int{math::kOutputParts} * std::int64_t{tasks_} + 2);
  }

  /// Writes what goes in to the block of the host. Returns where it will be in that of the device.
  Update Write(const WeightUpdate& update, const std::vector<std::int32_t>& micro_batches,
               const std::vector<double>& samples, char* host, char* device) const {
    options_.Put(host, update.options);
    double* const counts = counts_.In(host);
    std::copy(micro_batches.begin(), micro_batches.end(), counts);
    std::copy(samples.begin(), samples.end(), counts + tasks_);
    inputs_.Write(host, update.inputs);
    return {options_.In(device), counts_.In(device), inputs_.In(device), {outputs_.In(device)}};
  }

  /// What came back.
  SolvedWeights Read(char* host) const {
    const double* const outputs = outputs_.In(host);
    const double* const flags = outputs + outputs_.length - 2;
    return {std::vector<double>(outputs, flags), flags[0] != 0, flags[1] != 0};
  }

 private:
  int tasks_ = 0;
  BlockArray<math::UpdateOptions> options_;
  BlockArray<double> counts_;
  BlockArray<double> inputs_;
  BlockArray<double> outputs_;
};

}  // namespace pike::cuda

// Whether a preconditioner is one, before anything is changed by it. The streaming form updates vectors in
// place: what would be found only then could not be taken back.
#pragma once

#include "cuda/arguments.h"
#include "cuda/platform.h"

namespace pike::cuda {

struct CheckMetricArguments {
  Columns columns;
  std::int32_t virtual_blocks;
  Metric metric;
};

/// `metric.first_invalid`, which must be ~0, becomes the lowest column whose element is negative or not
/// finite.
Status LaunchCheckMetric(const CheckMetricArguments& arguments, int blocks, Stream stream);

}  // namespace pike::cuda

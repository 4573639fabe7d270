// Measurements that are ready to be run again: a training loop asks for the same few shapes for as long as it
// runs.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "core/dtype.h"
#include "core/status.h"
#include "cuda/measurement.h"
#include "cuda/plan.h"

namespace pike::cuda {

/// All that a prepared measurement depends on.
struct MeasurementKey {
  MomentsShape shape;
  std::vector<Dtype> metric_dtypes;  ///< Empty without a preconditioner.
  bool solves = false;

  bool operator==(const MeasurementKey&) const = default;
};

class PlanCache {
 public:
  struct Entry {
    MeasurementKey key;
    std::unique_ptr<Measurement> measurement;
    /// Addresses of rows and preconditioner that were looked up last.
    std::vector<const void*> known;
  };

  /// The entry of a key, made by `make` unless it is there. The one used longest ago goes when there are more
  /// than kMostEntries or kMostBytes, and all others go when memory has run out.
  Status Get(const MeasurementKey& key, const std::function<Status(std::unique_ptr<Measurement>*)>& make,
             Entry** entry);
  /// After an error: it may be in any state.
  void Drop(const Entry* entry);

  std::int64_t bytes() const;

 private:
  static constexpr std::size_t kMostEntries = 16;
  static constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;

  std::list<Entry> entries_;  ///< Used last first.
};

}  // namespace pike::cuda

#include "cuda/plan_cache.h"

#include <algorithm>
#include <utility>

namespace pike::cuda {

Status PlanCache::Get(const MeasurementKey& key,
                      const std::function<Status(std::unique_ptr<Measurement>*)>& make, Entry** entry) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    std::unique_ptr<Measurement> measurement;
    Status status = make(&measurement);
    if (status.code == StatusCode::kMemory && !entries_.empty()) {
      entries_.clear();
      status = make(&measurement);
    }
    if (!status.ok()) return status;
    entries_.push_front({key, std::move(measurement), {}});
    while (entries_.size() > 1 && (entries_.size() > kMostEntries || bytes() > kMostBytes))
      entries_.pop_back();
  }
  *entry = &entries_.front();
  return {};
}

void PlanCache::Drop(const Entry* entry) {
  entries_.remove_if([entry](const Entry& e) { return &e == entry; });
}

std::int64_t PlanCache::bytes() const {
  std::int64_t bytes = 0;
  for (const Entry& entry : entries_) bytes += entry.measurement->bytes();
  return bytes;
}

}  // namespace pike::cuda

// The sums over all rows of a measurement, in one pass over memory.
#pragma once

#include "core/cancellation.h"
#include "core/moments.h"
#include "core/status.h"
#include "cpu/thread_pool.h"

namespace pike {

/// Changes nothing but `*moments`, and that only on success. Throws std::bad_alloc.
Status ComputeMoments(const MomentsInput& input, ThreadPool& pool, const Cancellation& cancellation,
                      Moments* moments);

}  // namespace pike

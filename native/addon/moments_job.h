// moments(request, cancellation | null, inSlices?): the batch path. Returns a promise of the sums, a
// StagedCall, or a status.
#pragma once

#include <napi.h>

#include "core/moments.h"
#include "core/status.h"

namespace pike {

/// Everything but the rows and the preconditioner, of NativeMomentsRequest or its like for a GPU (which names
/// no threads). ERR_SHAPE if the numbers do not belong together.
Status ReadMomentsRequest(const Napi::Object& object, MomentsInput* request);

Napi::Value SubmitMoments(const Napi::CallbackInfo& info);

}  // namespace pike

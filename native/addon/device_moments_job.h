// deviceMoments(request, cancellation | null, inSlices?): the batch path on a GPU, and with an update the
// next weights in the same launch. Returns a promise of { moments, solved, milliseconds, graph }, or a
// status.
#pragma once

#include <napi.h>

namespace pike {

Napi::Value SubmitDeviceMoments(const Napi::CallbackInfo& info);

}  // namespace pike

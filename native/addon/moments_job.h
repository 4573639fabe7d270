// moments(request, cancellation | null): the batch path. Returns a promise of the sums, or a status.
#pragma once

#include <napi.h>

namespace pike {

Napi::Value SubmitMoments(const Napi::CallbackInfo& info);

}  // namespace pike

// adamMetric(second, rootCorrection, epsilon, into), at once: two Float32Arrays of one length, or one and the
// same.
#pragma once

#include <napi.h>

namespace pike {

Napi::Value AdamMetric(const Napi::CallbackInfo& info);

}  // namespace pike

// Results as JavaScript sees them: the interface `Moments` of lib/statistics/statistics.ts.
#pragma once

#include <napi.h>

#include "cpu/moments.h"

namespace pike {

Napi::Object ToObject(Napi::Env env, const Moments& moments);

}  // namespace pike

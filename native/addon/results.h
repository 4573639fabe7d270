// Results as JavaScript sees them: the interface `Moments` of lib/statistics/statistics.ts.
#pragma once

#include <napi.h>

#include "core/moments.h"
#include "cuda/engine.h"

namespace pike {

Napi::Object ToObject(Napi::Env env, const Moments& moments);
/// { outputs, measured, limited }
Napi::Object ToObject(Napi::Env env, const cuda::SolvedWeights& solved);

}  // namespace pike

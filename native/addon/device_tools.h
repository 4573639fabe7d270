// deviceTools: { allocate, free, copy }, memory of a GPU for tests and benchmarks. Every call waits, on the
// thread that it is made on.
#pragma once

#include <napi.h>

namespace pike {

Napi::Object DeviceToolsObject(Napi::Env env);

}  // namespace pike

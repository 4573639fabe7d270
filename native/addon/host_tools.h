// hostTools: { instructionSet, read, update, threadSeconds }, yardsticks of benchmarks for the memory of the
// host and the JS thread.
#pragma once

#include <napi.h>

namespace pike {

Napi::Object HostToolsObject(Napi::Env env);

}  // namespace pike

// The emulated devices as tests in TypeScript see them: test/native/emulated-addon.ts, `EmulatorHooks`.
#pragma once

#include <napi.h>

namespace emulator {

Napi::Object DefineHooks(Napi::Env env);

}  // namespace emulator

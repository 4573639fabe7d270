// The whole addon on emulated devices: everything of native/ but runtime.cpp and probe.cpp, and beside its
// exports an `emulator`, by which tests say what there is of devices and what goes wrong with them.
#include <napi.h>

#include "emulator/device_memory.h"
#include "emulator/hooks.h"

// addon.cpp registers itself: here it is only to define what that needs.
#undef NODE_API_MODULE
#define NODE_API_MODULE(name, initialise)
#include "addon/addon.cpp"

static napi_value InitEmulated(napi_env env, napi_value exports) {
  return Napi::RegisterModule(env, exports, [](Napi::Env env, Napi::Object exports) {
    Napi::Object addon = InitPikeMixer(env, exports);
    const auto cuda = addon.Get("buildInfo").As<Napi::Object>().Get("cuda").As<Napi::Object>();
    const auto architectures = cuda.Get("architectures").As<Napi::Array>();
    architectures.Set(architectures.Length(), "emulated");
    emulator::is_users_thread = true;
    addon.Set("emulator", emulator::DefineHooks(env));
    return addon;
  });
}

NAPI_MODULE(emulated_addon, InitEmulated)

// What kind of build this is, and what it finds of CUDA on this machine.
#pragma once

#include <napi.h>

namespace pike {

/// { napiVersion, compiler, instructionSet, cuda: { compiled, runtimeVersion, architectures } }
Napi::Object BuildInfo(Napi::Env env);

/// cudaProbe(): { devices, driverVersion, error | null }
Napi::Value CudaProbeObject(const Napi::CallbackInfo& info);

}  // namespace pike

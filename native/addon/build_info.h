// What kind of build this is, and what it finds of CUDA on this machine.
#pragma once

#include <napi.h>

namespace pike {

/// { napiVersion, compiler, instructionSet, cuda: { compiled, runtimeVersion, architectures } }
Napi::Object BuildInfo(Napi::Env env);

/// cudaProbe(): { devices: [{ name, computeCapability }], driverVersion, error | null }
Napi::Value CudaProbeObject(const Napi::CallbackInfo& info);
/// cudaProbeAsync(): a promise of the same.
Napi::Value SubmitCudaProbe(const Napi::CallbackInfo& info);

}  // namespace pike

#include "addon/build_info.h"

#include <cstdint>
#include <sstream>
#include <string>

#include "addon/promise_job.h"
#include "cpu/instruction_set.h"
#include "cuda/probe.h"

namespace pike {
namespace {

std::string Compiler() {
#if defined(__clang__)
  return std::string("clang ") + __clang_version__;
#elif defined(__GNUC__)
  return std::string("gcc ") + __VERSION__;
#elif defined(_MSC_VER)
  return "msvc " + std::to_string(_MSC_VER);
#else
  return "unknown";
#endif
}

/// What the kernels were compiled for, as CMake writes it: 90-real is machine code, 90-virtual PTX, 90 both.
Napi::Array CudaArchitectures(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
#if defined(PIKE_CUDA_ARCHITECTURES)
  std::istringstream list(PIKE_CUDA_ARCHITECTURES);  // by commas
  std::string name;
  for (std::uint32_t i = 0; std::getline(list, name, ','); ++i) names[i] = Napi::String::New(env, name);
#endif
  return names;
}

}  // namespace

Napi::Object BuildInfo(Napi::Env env) {
  Napi::Object cuda = Napi::Object::New(env);
  cuda.Set("compiled", CudaRuntimeVersion() != 0);
  cuda.Set("runtimeVersion", CudaRuntimeVersion());
  cuda.Set("architectures", CudaArchitectures(env));
  Napi::Object info = Napi::Object::New(env);
  info.Set("napiVersion", NAPI_VERSION);
  info.Set("compiler", Compiler());
  info.Set("instructionSet", InstructionSet());
  info.Set("cuda", cuda);
  return info;
}

Napi::Value CudaProbeObject(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    const CudaProbe probe = ProbeCuda();
    Napi::Array devices = Napi::Array::New(env);
    for (std::uint32_t i = 0; i < probe.devices.size(); ++i)
      devices[i] = Napi::String::New(env, probe.devices[i]);
    Napi::Object object = Napi::Object::New(env);
    object.Set("devices", devices);
    object.Set("driverVersion", probe.driver_version);
    object.Set("error", probe.error.empty() ? env.Null() : Napi::Value(Napi::String::New(env, probe.error)));
    return object;
  });
}

}  // namespace pike

#include "addon/build_info.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "addon/environment.h"
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
  const std::string list = PIKE_CUDA_ARCHITECTURES;  // by commas
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    names[names.Length()] = Napi::String::New(env, list.substr(begin, end - begin));
    begin = end + 1;
  }
#endif
  return names;
}

Napi::Array InstructionSets(Napi::Env env) {
  Napi::Array names = Napi::Array::New(env);
  std::uint32_t i = 0;
  for (const InstructionSet set : UsableInstructionSets()) names[i++] = Napi::String::New(env, NameOf(set));
  return names;
}

Napi::Object ToObject(Napi::Env env, const CudaProbe& probe) {
  Napi::Array devices = Napi::Array::New(env);
  for (std::uint32_t i = 0; i < probe.devices.size(); ++i) {
    const CudaDevice& found = probe.devices[i];
    Napi::Object device = Napi::Object::New(env);
    device.Set("name", found.name);
    device.Set("computeCapability", std::to_string(found.major) + "." + std::to_string(found.minor));
    devices[i] = device;
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("devices", devices);
  object.Set("driverVersion", probe.driver_version);
  object.Set("error", probe.error.empty() ? env.Null() : Napi::Value(Napi::String::New(env, probe.error)));
  return object;
}

class ProbeJob final : public PromiseJob {
 public:
  explicit ProbeJob(Napi::Env env) : PromiseJob(env, std::make_shared<Cancellation>()) {}

 private:
  Status Compute(const Cancellation&) override {
    probe_ = ProbeCuda();
    return {};
  }
  Napi::Value Result(Napi::Env env) override { return ToObject(env, probe_); }

  CudaProbe probe_;
};

}  // namespace

Napi::Object BuildInfo(Napi::Env env) {
  Napi::Object cuda = Napi::Object::New(env);
  cuda.Set("compiled", CudaRuntimeVersion() != 0);
  cuda.Set("runtimeVersion", CudaRuntimeVersion());
  cuda.Set("architectures", CudaArchitectures(env));
  Napi::Object info = Napi::Object::New(env);
  info.Set("napiVersion", NAPI_VERSION);
  info.Set("compiler", Compiler());
  const InstructionSetInUse& in_use = CurrentInstructionSet();
  info.Set("instructionSet", NameOf(in_use.set));
  info.Set("instructionSets", InstructionSets(env));
  info.Set("complaint", in_use.complaint.empty() ? env.Null() : Napi::String::New(env, in_use.complaint));
  info.Set("cuda", cuda);
  return info;
}

Napi::Value CudaProbeObject(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value { return ToObject(env, ProbeCuda()); });
}

Napi::Value SubmitCudaProbe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    return PromiseJob::Submit(Environment::Of(env).devices.OfDriver(), std::make_unique<ProbeJob>(env));
  });
}

}  // namespace pike

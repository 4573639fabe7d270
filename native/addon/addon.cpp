// The addon as lib/backends/load-addon.ts loads it. Whatever of this interface changes there changes here,
// and with it kApiVersion.
#include <napi.h>

#include "addon/adam_metric_call.h"
#include "addon/build_info.h"
#include "addon/cancellation_object.h"
#include "addon/device_moments_job.h"
#include "addon/device_stream_object.h"
#include "addon/device_tools.h"
#include "addon/environment.h"
#include "addon/gradient_memory.h"
#include "addon/host_tools.h"
#include "addon/moment_stream_object.h"
#include "addon/moments_job.h"
#include "addon/staged_call.h"

namespace pike {
namespace {

constexpr int kApiVersion = 4;

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Environment);
  Environment::Of(env).staged_call = Napi::Persistent(StagedCall::Define(env));
  exports.Set("apiVersion", kApiVersion);
  exports.Set("buildInfo", BuildInfo(env));
  exports.Set("cudaProbe", Napi::Function::New<CudaProbeObject>(env, "cudaProbe"));
  exports.Set("cudaProbeAsync", Napi::Function::New<SubmitCudaProbe>(env, "cudaProbeAsync"));
  exports.Set("moments", Napi::Function::New<SubmitMoments>(env, "moments"));
  exports.Set("MomentStream", MomentStreamObject::Define(env));
  exports.Set("deviceMoments", Napi::Function::New<SubmitDeviceMoments>(env, "deviceMoments"));
  exports.Set("DeviceMomentStream", DeviceStreamObject::Define(env));
  exports.Set("deviceTools", DeviceToolsObject(env));
  exports.Set("hostTools", HostToolsObject(env));
  exports.Set("adamMetric", Napi::Function::New<AdamMetric>(env, "adamMetric"));
  exports.Set("allocateMemory", Napi::Function::New<AllocateMemory>(env, "allocateMemory"));
  exports.Set("releaseMemory", Napi::Function::New<ReleaseMemory>(env, "releaseMemory"));
  exports.Set("misalignment", Napi::Function::New<Misalignment>(env, "misalignment"));
  exports.Set("Cancellation", CancellationObject::Define(env));
  return exports;
}

}  // namespace
}  // namespace pike

static Napi::Object InitPikeMixer(Napi::Env env, Napi::Object exports) { return pike::Init(env, exports); }

NODE_API_MODULE(pike_mixer, InitPikeMixer)

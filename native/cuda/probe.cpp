#include "cuda/probe.h"

#include <cuda_runtime_api.h>

#if defined(__linux__)
#include <dlfcn.h>
#endif

namespace pike {
namespace {

std::string Describe(const char* call, cudaError_t error) {
  return std::string(call) + ": " + cudaGetErrorName(error) + " (" + std::to_string(static_cast<int>(error)) +
         "), " + cudaGetErrorString(error);
}

/// What the driver says itself: the runtime calls one that is far too old none at all.
int AskDriverVersion() {
  int version = 0;
#if defined(__linux__)
  void* const driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (driver == nullptr) return 0;
  const auto get = reinterpret_cast<int (*)(int*)>(dlsym(driver, "cuDriverGetVersion"));
  if (get == nullptr || get(&version) != 0) version = 0;
  dlclose(driver);
#endif
  return version;
}

}  // namespace

int CudaRuntimeVersion() { return CUDART_VERSION; }

CudaProbe ProbeCuda() {
  CudaProbe probe;
  if (const cudaError_t error = cudaDriverGetVersion(&probe.driver_version); error != cudaSuccess) {
    probe.error = Describe("cudaDriverGetVersion", error);
    return probe;
  }
  if (probe.driver_version == 0) probe.driver_version = AskDriverVersion();
  int count = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&count); error != cudaSuccess) {
    probe.error = Describe("cudaGetDeviceCount", error);
    return probe;
  }
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties;
    if (const cudaError_t error = cudaGetDeviceProperties(&properties, device); error != cudaSuccess) {
      probe.error = Describe("cudaGetDeviceProperties", error);
      return probe;
    }
    probe.devices.push_back({properties.name, properties.major, properties.minor});
  }
  return probe;
}

}  // namespace pike

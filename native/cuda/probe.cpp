#include "cuda/probe.h"

#include <cuda_runtime_api.h>

namespace pike {
namespace {

std::string Describe(const char* call, cudaError_t error) {
  return std::string(call) + ": " + cudaGetErrorName(error) + " (" + std::to_string(static_cast<int>(error)) +
         "), " + cudaGetErrorString(error);
}

}  // namespace

int CudaRuntimeVersion() { return CUDART_VERSION; }

CudaProbe ProbeCuda() {
  CudaProbe probe;
  if (const cudaError_t error = cudaDriverGetVersion(&probe.driver_version); error != cudaSuccess) {
    probe.error = Describe("cudaDriverGetVersion", error);
    return probe;
  }
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
    probe.devices.emplace_back(properties.name);
  }
  return probe;
}

}  // namespace pike

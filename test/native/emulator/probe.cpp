#include "cuda/probe.h"

#include "emulator/calls.h"
#include "emulator/cuda_errors.h"

namespace pike {

int CudaRuntimeVersion() { return 13000; }

CudaProbe ProbeCuda() {
  const emulator::Machinery machinery = emulator::CurrentMachinery();
  CudaProbe probe;
  probe.driver_version = machinery.driver_version;
  const int error = machinery.driver_error != 0 ? machinery.driver_error
                    : machinery.devices.empty() ? emulator::kNoDevice
                                                : 0;
  if (error != 0) {
    probe.error = emulator::ToStatus(error, "cudaGetDeviceCount").message;
    return probe;
  }
  for (const auto& device : machinery.devices)
    probe.devices.push_back({device.name, device.major, device.minor});
  return probe;
}

}  // namespace pike

// What this build and this machine have of CUDA. Two files implement it, of which a build takes one:
// probe.cpp where it found a working nvcc, absent.cpp where not.
#pragma once

#include <string>
#include <vector>

namespace pike {

struct CudaDevice {
  std::string name;
  int major = 0;  ///< Compute capability.
  int minor = 0;
};

struct CudaProbe {
  std::vector<CudaDevice> devices;
  int driver_version = 0;  ///< As 13000 for 13.0; 0 where no driver is installed.
  std::string error;       ///< Name, number and text of the CUDA error, if one stood in the way.
};

/// Whether the addon was built with CUDA, and with which version of the runtime (as 13000 for 13.0), else 0.
int CudaRuntimeVersion();

/// Asks the driver, which takes a fraction of a millisecond without one, and may take longer with one. So:
/// not while the addon is loaded, but when somebody wants to know.
CudaProbe ProbeCuda();

}  // namespace pike

#include "cuda/probe.h"

namespace pike {

int CudaRuntimeVersion() { return 0; }

CudaProbe ProbeCuda() { return {}; }

}  // namespace pike

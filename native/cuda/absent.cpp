#include "cuda/engine.h"
#include "cuda/probe.h"

namespace pike {

int CudaRuntimeVersion() { return 0; }

CudaProbe ProbeCuda() { return {}; }

namespace cuda {
namespace {

Status Absent() { return {StatusCode::kCuda, "the native addon was built without nvcc"}; }

}  // namespace

Status Engine::Open(int, std::unique_ptr<Engine>*) { return Absent(); }

Status DeviceTools::Allocate(int, std::int64_t, std::uint64_t*) { return Absent(); }
Status DeviceTools::Free(int, std::uint64_t) { return Absent(); }
Status DeviceTools::Copy(int, std::uint64_t, std::uint64_t, std::int64_t, double*) { return Absent(); }

}  // namespace cuda
}  // namespace pike

#include "emulator/cuda.h"

namespace emulator {

pike::Status CheckLaunch(dim3 grid, unsigned threads, std::size_t shared, std::size_t parameter_bytes) {
  constexpr std::size_t kShared = 64 * 1024;
  constexpr std::size_t kParameters = 4096;
  const auto refuse = [](const std::string& why) {
    return pike::Status{pike::StatusCode::kCuda, "a kernel could not be launched: " + why};
  };
  if (grid.x == 0 || grid.y == 0 || grid.z != 1 || grid.x > 0x7fffffffu || grid.y > 65535) {
    return refuse(Format("a grid of %u × %u × %u blocks", grid.x, grid.y, grid.z));
  }
  if (threads == 0 || threads > 1024) return refuse(Format("blocks of %u threads", threads));
  if (shared > kShared) return refuse(Format("%zu bytes of shared memory", shared));
  if (parameter_bytes > kParameters) return refuse(Format("%zu bytes of parameters", parameter_bytes));
  return {};
}

}  // namespace emulator

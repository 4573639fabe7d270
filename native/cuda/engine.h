// Measurements on one GPU, as the addon sees them: no CUDA, no kernels, no streams of ours. Two files
// implement it, of which a build takes one: engine.cu where it found a working nvcc, absent.cpp where not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/cancellation.h"
#include "core/layout.h"
#include "core/moments.h"
#include "core/status.h"
#include "math/layout.h"

namespace pike::cuda {

/// The next weights, to be solved for in the launch that measures.
struct WeightUpdate {
  math::UpdateOptions options;
  std::vector<double> inputs;  ///< [kInputParts][tasks], math/layout.h
};

struct SolvedWeights {
  std::vector<double> outputs;  ///< [kOutputParts][tasks]
  bool measured = false;
  bool limited = false;
};

/// Where the rows, and a preconditioner with them, come from.
struct RowSource {
  bool host = false;  ///< They lie in memory of the host and are copied to the device first.
  std::vector<void*>
      streams;  ///< What these have been given so far is done before a row is read. Device rows only.
};

struct DeviceResult {
  Moments moments;
  std::optional<SolvedWeights> solved;
  double milliseconds = 0;  ///< From the first copy to the last on the device.
  bool graph = false;       ///< Whether all of it was one graph, as from the second time on for a shape.
};

/// One measurement in progress, its vectors on the device. Used by one thread at a time, that of its engine.
class DeviceMomentStream {
 public:
  virtual ~DeviceMomentStream() = default;
  /// Unless the status is ok, nothing has changed.
  virtual Status Add(std::int32_t task, const RowPointers& gradient, double samples,
                     const std::optional<TypedRow>& preconditioner, const RowSource& source,
                     const Cancellation& cancellation) = 0;
  /// The sums so far.
  virtual Status Collect(const Cancellation& cancellation, Moments* moments) = 0;
  /// Memory of the device that it holds.
  virtual std::int64_t bytes() const = 0;
};

/// Used by one thread at a time, always the same.
class Engine {
 public:
  virtual ~Engine() = default;
  static Status Open(int device, std::unique_ptr<Engine>* engine);

  /// All of a measurement at once, and with `update` the next weights: one launch for up to 128 rows.
  virtual Status Measure(const MomentsInput& input, const RowSource& source, const WeightUpdate* update,
                         const Cancellation& cancellation, DeviceResult* result) = 0;
  virtual Status OpenStream(std::int32_t tasks, const Layout& layout, bool inner,
                            std::unique_ptr<DeviceMomentStream>* stream) = 0;
  /// Memory of the device that plans hold between measurements.
  virtual std::int64_t bytes() const = 0;
};

/// Memory of a device for tests and benchmarks, which have no training stack of their own to get it from.
/// Each call waits until it is done.
class DeviceTools {
 public:
  static Status Allocate(int device, std::int64_t bytes, std::uint64_t* address);
  static Status Free(int device, std::uint64_t address);
  /// Either address may be of the device or of the host.
  static Status Copy(int device, std::uint64_t to, std::uint64_t from, std::int64_t bytes,
                     double* milliseconds);
};

}  // namespace pike::cuda

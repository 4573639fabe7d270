// Streams, events and graphs of the emulated devices. What a stream is given is done in order, by one thread
// of the process, "the GPU"; among streams that could go on it picks one by chance, and it pauses in between,
// so that nothing is in step that was not told to be. Handles are never used twice.
//
// Everything here may be called from any thread, and returns an error of CUDA, 0 for none.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace emulator {

/// Thrown by work that fails as work on a GPU would: the device is lost.
struct DeviceError {
  int error;
  std::string message;
};

/// That a stream has come to where an event was recorded.
struct Mark {
  bool reached = false;
  std::chrono::steady_clock::time_point time;
};

struct Operation {
  enum class Kind { kWork, kRecord, kAwait };
  Kind kind;
  std::function<void()> work;  ///< Of kWork; throws a Defect or a DeviceError.
  std::shared_ptr<Mark> mark;  ///< Of the others.
  /// From when it comes first in its stream until it is done.
  std::chrono::milliseconds delay{0};
};

struct Stream;

struct Event {
  int device;
  std::shared_ptr<Mark> mark;  ///< Where it was recorded last.
  const Stream* capturing =
      nullptr;  ///< Instead: it was recorded in a stream that did nothing but take note.
};

struct Graph {
  int device;
  std::vector<Operation> operations;
};

struct Stream {
  void* handle = nullptr;
  int device = 0;
  std::deque<Operation> operations;
  bool running = false;  ///< The first of them, which is no longer there.
  bool destroyed = false;
  std::chrono::steady_clock::time_point start;  ///< Of the first one that has a delay.
  bool started = false;

  std::shared_ptr<Graph> capture;  ///< What it is given becomes part of it.
  std::thread::id capturer;
  bool capture_broken = false;
};

/// Null is the legacy default stream of `device`, and waits for no other. Work that waits with `and_wait` is
/// done when the call returns.
int GiveWork(void* stream, int device, std::function<void()> work, bool and_wait = false,
             std::chrono::milliseconds delay = {});

int CreateStream(int device, void** stream);
int DestroyStream(void* stream);

int CreateEvent(int device, void** event);
int DestroyEvent(void* event);
int RecordEvent(void* event, void* stream, int device);
int AwaitEvent(void* stream, int device, void* event);
int SynchronizeEvent(void* event);
int SynchronizeStream(void* stream, int device);
int ElapsedBetween(void* begin, void* end, double* milliseconds);

int BeginCapture(void* stream, int device);
int EndCapture(void* stream, int device, void** graph);
int LaunchGraph(void* graph, void* stream, int device);
int DestroyGraph(void* graph);
/// For calls that CUDA does not allow on a thread that is capturing: an error if it is, and nothing can come
/// of that capture any more.
int ForbidInCapture();
/// Whether what `stream` is given becomes part of a graph.
bool IsCapturing(void* stream, int device);

/// The device can do nothing more.
void LoseDevice(int device, int error, const std::string& message);
/// The error that it was lost by, or 0.
int LostBy(int device, std::string* message);

// What tests do to the GPU.

/// Until Resume() nothing is begun.
void Hold();
void Resume();
/// Waits until all streams have done all that can be done. Not while it is held.
void AwaitIdle();
/// Of whatever the GPU does by chance, and how long it pauses at most between two operations.
void SetChance(std::uint64_t seed, std::chrono::microseconds pause);
/// Lost devices are as new.
void RestoreDevices();

struct StreamCounters {
  std::int64_t live_streams = 0;
  std::int64_t live_events = 0;
  std::int64_t live_graphs = 0;
  std::int64_t graphs = 0;  ///< launched, so far
};
StreamCounters CountStreams();
void ResetStreamCounters();

}  // namespace emulator

// What every call of the emulated runtime begins with: it is counted, and it fails if the driver, the device
// or a test wants it to.
#pragma once

#include <string>

#include "core/status.h"
#include "emulator/runtime.h"

namespace emulator {

/// The device that the calling thread uses.
int CurrentDevice();
void SetCurrentDevice(int device);
int DeviceCount();
Machinery CurrentMachinery();

/// Counts a call of the thread.
void NoteCall();
/// The thread may wait for a device.
void NoteWait();

/// An error that is to come out of this call; `what` could not be done. Also if it does not fail the call is
/// counted.
pike::Status EnterCall(const char* call, int device, const std::string& what);

/// An error that a test wants from this call, or 0.
int TakeFault(const std::string& call);

/// The status of an error, told as native/cuda/runtime.cpp does, and by what the device was lost if it was.
pike::Status Told(int error, int device, const std::string& what);

enum class Work { kKernel, kCopy, kFill, kUser };
void NoteWork(Work work);

}  // namespace emulator

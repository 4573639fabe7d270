// What lib/backends/gradient-buffer.ts is made of: ArrayBuffers over memory of the addon's own.
#pragma once

#include <napi.h>

namespace pike {

/// allocateMemory(bytes): an ArrayBuffer of zeros, which V8 accounts for; null where this Node.js takes no
/// such memory; or a status.
Napi::Value AllocateMemory(const Napi::CallbackInfo& info);

/// releaseMemory(buffer): detaches what allocateMemory returned and lets go of its memory. Nothing happens if
/// it was detached before: then it belongs to whoever took it.
Napi::Value ReleaseMemory(const Napi::CallbackInfo& info);

/// misalignment(array): how many bytes the array begins behind a boundary of 64.
Napi::Value Misalignment(const Napi::CallbackInfo& info);

}  // namespace pike

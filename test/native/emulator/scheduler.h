// Runs the threads of a launch in turns until all have returned or one is at fault.
#pragma once

#include "emulator/machine.h"

namespace emulator {

/// Runs `kernel(arguments)` in every thread of the grid. Throws a Defect.
void RunGrid(dim3 grid, unsigned threads, unsigned shared_bytes, void (*kernel)(void*), void* arguments);

/// An atomic has been done: where the schedule stalls those, the thread waits until nothing else can run.
void StallAfterAtomic();

}  // namespace emulator

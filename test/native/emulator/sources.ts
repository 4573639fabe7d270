/** The source files of the emulator, for addons whose kernels run in it. */
export const EMULATOR_SOURCES = [
  'test/native/emulator/collectives.cpp',
  'test/native/emulator/configuration.cpp',
  'test/native/emulator/cuda.cpp',
  'test/native/emulator/defect.cpp',
  'test/native/emulator/fiber.cpp',
  'test/native/emulator/global_memory.cpp',
  'test/native/emulator/global_order.cpp',
  'test/native/emulator/scheduler.cpp',
  'test/native/emulator/shared_memory.cpp',
  'test/native/emulator/weak_memory.cpp',
];

/** With these the emulator has devices and streams, and implements native/cuda/runtime.h. */
export const RUNTIME_SOURCES = [
  ...EMULATOR_SOURCES,
  'test/native/emulator/address_range.cpp',
  'test/native/emulator/calls.cpp',
  'test/native/emulator/cuda_errors.cpp',
  'test/native/emulator/device_memory.cpp',
  'test/native/emulator/gpu.cpp',
  'test/native/emulator/hooks.cpp',
  'test/native/emulator/runtime.cpp',
  'test/native/emulator/streams.cpp',
];

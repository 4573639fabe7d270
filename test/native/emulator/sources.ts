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

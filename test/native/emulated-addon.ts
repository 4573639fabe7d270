/**
 * The whole addon on emulated devices, as PIKE_MIXER_ADDON takes it: the same host side and the same kernels as on a
 * GPU, over a runtime whose streams run out of step on purpose and whose memory knows its bounds.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NativeAddon } from '../../lib/backends/load-addon.js';
import { compileTestAddon } from './compile.js';
import { RUNTIME_SOURCES } from './emulator/sources.js';

/** What is left out is as when the process began. */
export interface EmulatorSettings {
  /** One, an "Emulated GPU" of 9.0. */
  readonly devices?: readonly { readonly name: string; readonly computeCapability: string }[];
  /** 13000 */
  readonly driverVersion?: number;
  /** The number of a cudaError_t that every call gives, the probe as well; 0 for none. */
  readonly driverError?: number;
  /** Bytes, of each device. 4 GiB */
  readonly deviceMemory?: number;
  /** Bytes of page-locked memory. 4 GiB */
  readonly pinnedMemory?: number;
  /** Of whatever is done by chance: which stream goes on, when, and the schedule of kernels. */
  readonly seed?: number;
  /** Microseconds that the GPU pauses at most between two operations. 50 */
  readonly pause?: number;
  /** Index in StandardSchedules(true) of test/native/emulator/configuration.h: how the threads of kernels run. */
  readonly schedule?: number;
}

export interface EmulatorCounters {
  /** Executed, those of graphs one by one. */
  readonly kernels: number;
  readonly graphs: number;
  readonly copies: number;
  readonly fills: number;
  readonly userWork: number;
  /** Calls of the runtime by the thread that asks, JavaScript's, and those among them that may wait for a device. */
  readonly calls: number;
  readonly waits: number;
  /** Of memory of devices, so far and now. */
  readonly allocations: number;
  readonly liveAllocations: number;
  readonly deviceBytes: number;
  readonly peakDeviceBytes: number;
  readonly pinnedAllocations: number;
  readonly livePinnedAllocations: number;
  readonly pinnedBytes: number;
  /** Also those of createStream(). */
  readonly liveStreams: number;
  readonly liveEvents: number;
  readonly liveGraphs: number;
}

/** test/native/emulator/hooks.cpp */
export interface EmulatorHooks {
  configure(settings: EmulatorSettings): void;
  /** Waits until all that can be done is done; then all settings, counts and errors are as when the process began. */
  reset(): void;
  counters(): EmulatorCounters;
  /**
   * The call of this name in native/cuda/runtime.h ('Allocate', 'Record', …) fails with this cudaError_t once `after`
   * (0) more have been made. 'Launch' is that of a kernel; 'Kernel' and 'Copying' fail on the device, when it comes
   * to them, and lose it.
   */
  failNext(call: string, error: number, after?: number): void;
  /** What a device was lost by, in the words of the emulator: 'global out of bounds: …'; '' if none was. */
  lastDefect(): string;
  /** Of kernels, as they are launched; with not every compiler: test/native/emulator/padding.h. */
  readonly looksAtArguments: boolean;
  /** From now on the GPU begins nothing. */
  hold(): void;
  resume(): void;
  /** Waits until all that can be done is done. */
  awaitIdle(): void;
  /** Memory that is all NaN. The device of 'pinned' memory does not matter. */
  allocate(kind: 'device' | 'managed' | 'pinned', device: number, bytes: number): bigint;
  /** Does not wait: what still uses the memory fails. */
  free(address: bigint): void;
  /** What lies there now, whatever is still to be done. */
  peek(address: bigint, bytes: number): Uint8Array;
  poke(address: bigint, bytes: Uint8Array): void;
  createStream(device: number): bigint;
  destroyStream(stream: bigint): void;
  /**
   * Work of the caller's own, as that of a kernel which forms a gradient: `milliseconds` after the stream has come
   * to it, the bytes are there.
   */
  work(stream: bigint, device: number, address: bigint, bytes: Uint8Array, milliseconds: number): void;
}

export interface EmulatedAddon extends NativeAddon {
  readonly emulator: EmulatorHooks;
}

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** Of native/cuda: what other files stand for here. */
const REPLACED = ['runtime.cpp', 'probe.cpp', 'absent.cpp'];
/** Included by emulated_addon.cpp. */
const INCLUDED = ['addon.cpp'];

function sourcesIn(folder: string, without: readonly string[] = []): string[] {
  return readdirSync(join(root, folder))
    .filter((file) => /\.(cpp|cu)$/.test(file) && !without.includes(file))
    .sort()
    .map((file) => `${folder}/${file}`);
}

/** Compiles the addon, unless it is there and up to date. Returns its path. */
export function compileEmulatedAddon(): Promise<string> {
  return compileTestAddon({
    name: 'emulated',
    sources: [
      'test/native/emulated_addon.cpp',
      'test/native/emulator/probe.cpp',
      ...RUNTIME_SOURCES,
      ...sourcesIn('native/addon', INCLUDED),
      ...sourcesIn('native/core'),
      ...sourcesIn('native/cpu'),
      ...sourcesIn('native/cuda', REPLACED),
    ],
  });
}

/** The addon at that path as this thread has loaded it, or loads it now: whoever loads it shares its devices. */
export function emulatorOf(path: string): EmulatorHooks {
  return (createRequire(import.meta.url)(path) as EmulatedAddon).emulator;
}

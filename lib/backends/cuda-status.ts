/**
 * What there is of CUDA: asked of the driver once, since that may take a good part of a second, and explained where
 * it is not enough.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isGiven } from './call-order.js';
import {
  type LoadedAddon,
  loadAddon,
  type NativeCudaDevice,
  type NativeCudaProbe,
  type NativeStatus,
} from './load-addon.js';
import { isStatus } from './native-call.js';

export interface CudaStatus {
  /** The addon was built with CUDA. */
  readonly compiled: boolean;
  /** An NVIDIA driver is installed; null where it could not be asked. */
  readonly driver: boolean | null;
  /** There is a GPU to compute on. */
  readonly usable: boolean;
  /** The GPUs found. */
  readonly devices: readonly NativeCudaDevice[];
  /** What stands in the way, or which GPUs there are. */
  readonly reason: string;
}

let known: CudaStatus | undefined;
let asked: Promise<CudaStatus> | undefined;

/** What there is of CUDA. The first time it waits for the driver. Never throws. */
export function cudaStatus(): CudaStatus {
  known ??= explainCuda(loadAddon(), (addon) => addon.cudaProbe());
  return known;
}

/** The same off the event loop. Never rejects. */
export function cudaStatusLater(): Promise<CudaStatus> {
  if (known) return Promise.resolve(known);
  asked ??= askDriver();
  return asked;
}

async function askDriver(): Promise<CudaStatus> {
  const loaded = loadAddon();
  const { addon } = loaded;
  const probe = addon?.buildInfo.cuda.compiled ? await addon.cudaProbeAsync() : null;
  // As in call-order.ts: a caller who tries again and again would keep a thread from its end.
  if (probe !== null && !isGiven(probe)) await nextTurn();
  known ??= explainCuda(loaded, () => probe!);
  return known;
}

/** @param probe asks the driver, if the addon can */
export function explainCuda(
  loaded: LoadedAddon,
  probe: (addon: NonNullable<LoadedAddon['addon']>) => NativeCudaProbe | NativeStatus,
): CudaStatus {
  const { addon, reasons } = loaded;
  const none = { compiled: false, driver: false, usable: false, devices: [] };
  if (!addon) return { ...none, reason: `the native addon could not be loaded: ${reasons.join('; ')}` };
  const { compiled, runtimeVersion, architectures } = addon.buildInfo.cuda;
  if (!compiled) return { ...none, reason: 'the native addon was built without nvcc' };
  const result = probe(addon);
  const unasked = { ...none, compiled, driver: null };
  if (!isGiven(result))
    return { ...unasked, reason: 'the driver could not be asked: this thread is being terminated' };
  if (isStatus(result)) return { ...unasked, reason: `the driver could not be asked: ${result.message}` };
  const { devices, driverVersion, error } = result;
  const built = architectures.map((name) => Number.parseInt(name, 10)).filter(Number.isFinite);
  const oldest = built.length > 0 ? Math.min(...built) : 0;
  const served = devices.some(({ computeCapability }) => !(Number(computeCapability) * 10 < oldest));
  const found = { compiled, driver: driverVersion > 0, usable: served, devices };
  if (devices.length > 0 && !served) {
    const list = devices.map(({ name, computeCapability }, i) => `GPU ${i}: ${name}, ${computeCapability}`);
    return {
      ...found,
      reason: `the addon was built for GPUs of compute capability ${oldest / 10} and later, but there is only ${list.join('; ')}`,
    };
  }
  if (found.usable) return { ...found, reason: devices.map(({ name }, i) => `GPU ${i}: ${name}`).join(', ') };
  const detail = error === null ? '' : ` (${error})`;
  return { ...found, reason: whyNone(driverVersion, runtimeVersion, error) + detail };
}

function whyNone(driverVersion: number, runtimeVersion: number, error: string | null): string {
  if (driverVersion === 0) return 'no NVIDIA driver is installed';
  // Within a major version of CUDA, any driver serves any runtime.
  if (major(driverVersion) < major(runtimeVersion))
    return `the NVIDIA driver is too old: it serves CUDA ${cudaVersion(driverVersion)}, but the addon was built with CUDA ${cudaVersion(runtimeVersion)}`;
  if (error === null || error.includes('cudaErrorNoDevice'))
    return 'the NVIDIA driver finds no GPU that this process may use';
  return 'the NVIDIA driver or its GPU does not work';
}

function major(version: number): number {
  return Math.floor(version / 1000);
}

/** As '13.2', which CUDA writes 13020. */
export function cudaVersion(version: number): string {
  return `${major(version)}.${Math.floor((version % 1000) / 10)}`;
}

/**
 * Finds and loads the native addon, and keeps every reason why it could not: a fallback must be explained.
 */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TensorMemory } from '../gradients/host-gradient.js';
import type { Moments } from '../statistics/statistics.js';
import { type AddonFailure, explainLoadError, inspectAddonFile } from './addon-file.js';
import { type Platform, prebuildFolder, thisPlatform } from './platform.js';

/** Says which interface below an addon has; `kApiVersion` in native/addon/addon.cpp. */
const API_VERSION = 4;

/** What went wrong on the native side; `code` is one of errors.ts. */
export interface NativeStatus {
  readonly code: string;
  readonly message: string;
}

/** A call that could not be begun gives a status at once; a promise is always fulfilled, perhaps with a status. */
export type NativeResult<T> = Promise<T | NativeStatus> | NativeStatus;

/** A call that has not copied all its gradients yet, nor begun anything else. */
export interface NativeStagedCall<T> {
  /** Copies for about half a millisecond more. */
  advance(): NativeCall<T>;
  /** Lets go of it, for good. */
  abandon(): void;
  /** There was nothing to do the last time; there is no hurry. */
  readonly waiting: boolean;
}

/** What a call gives that may copy gradients in slices: with `inSlices`, which is false where it is not given. */
export type NativeCall<T, InSlices extends boolean = true> =
  | NativeResult<T>
  | (InSlices extends true ? NativeStagedCall<T> : never);

export interface NativeCancellation {
  cancel(): void;
}

/** Tensor by tensor; dtypes are numbers of native/core/dtype.h. */
export interface NativeLayout {
  readonly dtypes: Uint8Array;
  readonly lengths: Float64Array;
}

export interface NativePreconditioner {
  readonly dtypes: Uint8Array;
  readonly tensors: readonly TensorMemory[];
}

export interface NativeMomentsRequest extends NativeLayout {
  /** m_k, length K. */
  readonly rowsPerTask: Int32Array;
  /** s_ki, task by task. */
  readonly samples: Float64Array;
  /** The tensors of all rows, row after row. */
  readonly tensors: readonly TensorMemory[];
  readonly preconditioner: NativePreconditioner | null;
  readonly inner: boolean;
  readonly rowScalars: boolean;
  readonly threads: number;
}

export interface NativeMomentStream {
  add<S extends boolean = false>(
    task: number,
    tensors: readonly TensorMemory[],
    samples: number,
    preconditioner: NativePreconditioner | null,
    lengths: Float64Array,
    cancellation: NativeCancellation | null,
    inSlices?: S,
  ): NativeCall<undefined, S>;
  moments(cancellation: NativeCancellation | null): NativeResult<Moments>;
  dispose(): void;
}

export interface NativeStreamOptions extends NativeLayout {
  readonly tasks: number;
  readonly inner: boolean;
  readonly threads: number;
}

/** Rows of a measurement for a GPU, or a preconditioner: addresses in its memory, or memory of the host to copy. */
export interface NativeDeviceRows {
  /** The addresses of all tensors, row after row; 0 for an empty one. Null for rows of the host. */
  readonly pointers: BigUint64Array | null;
  /** The tensors of all rows of the host, row after row; null for rows of the device. */
  readonly tensors: readonly TensorMemory[] | null;
}

export interface NativeDevicePreconditioner extends NativeDeviceRows {
  readonly dtypes: Uint8Array;
}

/** What a GPU waits for before it reads, and what must stay alive until it has. */
export interface NativeDeviceSource {
  /** Handles of cudaStream_t, each once; 0 is the legacy default stream. Empty for rows of the host. */
  readonly streams: BigUint64Array;
  /** Held until the work is done. */
  readonly owners: readonly unknown[];
}

/** Options of `UpdateOptions` in native/math/layout.h: numbers all, true as 1. */
export type NativeUpdateOptions = Readonly<Record<string, number>>;

/** The next weights, to be solved for in the launch that measures: the blocks of native/math/layout.h. */
export interface NativeWeightUpdate {
  readonly options: NativeUpdateOptions;
  /** kInputParts of K numbers each. */
  readonly inputs: Float64Array;
}

export interface NativeDeviceMomentsRequest extends NativeLayout, NativeDeviceRows, NativeDeviceSource {
  readonly device: number;
  /** m_k, length K. */
  readonly rowsPerTask: Int32Array;
  /** s_ki, task by task. */
  readonly samples: Float64Array;
  readonly preconditioner: NativeDevicePreconditioner | null;
  readonly inner: boolean;
  /** Must be had: more rows than one launch takes are refused. */
  readonly rowScalars: boolean;
  /** Wanted where the launch forms them anyway; otherwise they are null. */
  readonly rowScalarsIfThere?: boolean;
  readonly update: NativeWeightUpdate | null;
}

export interface NativeDeviceMoments {
  readonly moments: Moments;
  /** Null when no update was asked for. */
  readonly solved: {
    /** kOutputParts of K numbers each. */
    readonly outputs: Float64Array;
    readonly measured: boolean;
    readonly limited: boolean;
  } | null;
  /** Time on the device, from the first copy of arguments to the last of results. */
  readonly milliseconds: number;
  /** Whether all of it was one graph, as from the second time on for a shape. */
  readonly graph: boolean;
}

export interface NativeDeviceStreamOptions extends NativeLayout {
  readonly device: number;
  readonly tasks: number;
  readonly inner: boolean;
}

export interface NativeDeviceMomentStream {
  add<S extends boolean = false>(
    task: number,
    rows: NativeDeviceRows & NativeDeviceSource,
    samples: number,
    preconditioner: NativeDevicePreconditioner | null,
    cancellation: NativeCancellation | null,
    inSlices?: S,
  ): NativeCall<undefined, S>;
  moments(cancellation: NativeCancellation | null): NativeResult<Moments>;
  dispose(): void;
}

/** Of tests and benchmarks: memory of a device, for processes without a training stack. Every call waits. */
export interface NativeDeviceTools {
  /** An address. */
  allocate(device: number, bytes: number): bigint | NativeStatus;
  free(device: number, address: bigint): undefined | NativeStatus;
  /** Copies to `to` from `from`, either an address of the device or an array. The time it took, in milliseconds. */
  copy(
    device: number,
    to: bigint | NodeJS.TypedArray,
    from: bigint | NodeJS.TypedArray,
    bytes: number,
  ): number | NativeStatus;
}

/** Of benchmarks: how fast the memory of the host is, and how long the JS thread has computed. */
export interface NativeHostTools {
  /** What the probes use, such as 'AVX2'. */
  readonly instructionSet: string;
  /** Reads all arrays once, in 1 or 8 streams per thread. They must stay where they are until the promise resolves. */
  read(
    arrays: readonly NodeJS.TypedArray[],
    streams: number,
    threads: number,
  ): NativeResult<{ readonly seconds: number; readonly checksum: bigint }>;
  /** mean += scale · (gradient − mean), in place. Seconds. */
  update(mean: Float32Array, gradient: Float32Array, scale: number, threads: number): NativeResult<number>;
  /** CPU time of the thread that asks; −1 where the system does not tell. */
  threadSeconds(): number;
}

export interface NativeCudaDevice {
  readonly name: string;
  /** As '9.0'. */
  readonly computeCapability: string;
}

export interface NativeCudaProbe {
  readonly devices: readonly NativeCudaDevice[];
  readonly driverVersion: number;
  readonly error: string | null;
}

/** The exports of the addon (native/addon/addon.cpp). */
export interface NativeAddon {
  readonly apiVersion: number;
  readonly buildInfo: {
    readonly napiVersion: number;
    readonly compiler: string;
    /** In use by the CPU kernels: 'avx512', 'avx2', 'neon' or 'portable'. */
    readonly instructionSet: string;
    /** Those that this machine can use, the best first. */
    readonly instructionSets: readonly string[];
    /** Why the one that PIKE_MIXER_INSTRUCTION_SET names is not in use. */
    readonly complaint: string | null;
    readonly cuda: {
      readonly compiled: boolean;
      /** As 13000 for 13.0; 0 when not compiled. */
      readonly runtimeVersion: number;
      /** What the kernels were compiled for: '90-real' is machine code, '90-virtual' PTX, '90' both. */
      readonly architectures: readonly string[];
    };
  };
  /** Asks the CUDA driver, which on a machine with one may take a good part of a second the first time. */
  cudaProbe(): NativeCudaProbe | NativeStatus;
  /** The same off the event loop. */
  cudaProbeAsync(): NativeResult<NativeCudaProbe>;
  moments<S extends boolean = false>(
    request: NativeMomentsRequest,
    cancellation: NativeCancellation | null,
    inSlices?: S,
  ): NativeCall<Moments, S>;
  readonly MomentStream: new (options: NativeStreamOptions) => NativeMomentStream;
  deviceMoments<S extends boolean = false>(
    request: NativeDeviceMomentsRequest,
    cancellation: NativeCancellation | null,
    inSlices?: S,
  ): NativeCall<NativeDeviceMoments, S>;
  readonly DeviceMomentStream: new (options: NativeDeviceStreamOptions) => NativeDeviceMomentStream;
  readonly deviceTools: NativeDeviceTools;
  readonly hostTools: NativeHostTools;
  readonly Cancellation: new () => NativeCancellation;
  /** into ← 1/(√second · rootCorrection + epsilon), 0 where `second` is not above 0. May be one and the same array. */
  adamMetric(
    second: Float32Array,
    rootCorrection: number,
    epsilon: number,
    into: Float32Array,
  ): undefined | NativeStatus;
  /** Zeros at a boundary of 64 bytes, accounted for by V8; null where Node.js takes no memory of an addon. */
  allocateMemory(bytes: number): ArrayBuffer | null | NativeStatus;
  /** Detaches what `allocateMemory` gave. Nothing happens where script has detached it. */
  releaseMemory(buffer: ArrayBuffer): undefined | NativeStatus;
  /** How many bytes an array begins behind a boundary of 64. */
  misalignment(array: NodeJS.TypedArray): number | NativeStatus;
}

export type LoadedAddon =
  | { readonly addon: NativeAddon; readonly path: string; readonly reasons: readonly string[] }
  | { readonly addon: null; readonly path: null; readonly reasons: readonly string[] };

let loaded: LoadedAddon | undefined;

/** The addon, looked for once per thread of JavaScript. Never throws. */
export function loadAddon(): LoadedAddon {
  loaded ??= loadFirst(addonCandidates());
  return loaded;
}

/**
 * Where an addon may be, best first: what was built here, and then what came with the package. `PIKE_MIXER_ADDON` names a
 * file that is then the only candidate: whoever asks for a certain one must not get another.
 */
export function addonCandidates(
  env: NodeJS.ProcessEnv = process.env,
  platform: Platform = thisPlatform(),
): string[] {
  if (env.PIKE_MIXER_ADDON) return [env.PIKE_MIXER_ADDON];
  const folders = ['build-cmake/Release', 'build/Release', `prebuilds/${prebuildFolder(platform)}`];
  // This file is two folders below the package, in lib/ as well as in dist/.
  return folders.map((folder) => fileURLToPath(new URL(`../../${folder}/pike_mixer.node`, import.meta.url)));
}

/** The first candidate that loads, and why those before it did not. Never throws. */
export function loadFirst(candidates: readonly string[], platform: Platform = thisPlatform()): LoadedAddon {
  const reasons: string[] = [];
  for (const path of candidates) {
    const loaded = loadFile(path, platform);
    if (!('trouble' in loaded)) return { addon: loaded, path, reasons };
    reasons.push(`${path}: ${loaded.cause}`);
  }
  return { addon: null, path: null, reasons };
}

/** The addon in this file, or why there is none. Never throws. */
export function loadFile(path: string, platform: Platform = thisPlatform()): NativeAddon | AddonFailure {
  const failure = inspectAddonFile(path, platform);
  if (failure) return failure;
  // Not `require`: a file of any name and content is tried as an addon, and never run as JavaScript.
  const module = { exports: {} as NativeAddon };
  try {
    process.dlopen(module, resolve(path));
  } catch (error) {
    return explainLoadError(error);
  }
  const { apiVersion } = (module.exports ?? {}) as Partial<NativeAddon>;
  if (apiVersion === API_VERSION) return module.exports;
  if (apiVersion === undefined)
    return { trouble: 'interface', cause: 'it is an addon, but not of pike-mixer' };
  return {
    trouble: 'interface',
    cause: `its interface is version ${apiVersion}, ${API_VERSION} was expected: run \`npm run build:native\` again`,
  };
}

/** What to do where no addon loads. Null where a file was named: then that one is wanted, and no other. */
export function buildAdvice(env: NodeJS.ProcessEnv = process.env): string | null {
  if (env.PIKE_MIXER_ADDON) return null;
  const folder = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');
  return `\`npm run build:native\` in ${folder} builds one for this system (docs/install.md says what it needs)`;
}

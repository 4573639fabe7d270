/**
 * The CPU backend: the native addon behind the `Backend` interface. Errors are made here, not there, so that
 * their stack shows the caller's line.
 */
import { availableParallelism } from 'node:os';
import { type ErrorCode, PikeError } from '../errors.js';
import { assertReadable, type Dtype, type GradientView } from '../gradients/gradient.js';
import type { Moments } from '../statistics/statistics.js';
import { throwIfAborted } from '../validate.js';
import type { Backend, MomentStream, MomentStreamRequest, MomentsRequest } from './backend.js';
import {
  loadAddon,
  type NativeAddon,
  type NativeCancellation,
  type NativeMomentStream,
  type NativePreconditioner,
  type NativeResult,
  type NativeStatus,
} from './load-addon.js';

/** Past some eight threads, memory and not arithmetic is what takes the time. */
const MOST_DEFAULT_THREADS = 8;

/** native/core/dtype.h */
const DTYPE_NUMBERS: Record<Dtype, number> = { float32: 0, float64: 1, bfloat16: 2, float16: 3 };

export interface CpuBackendOptions {
  /** How many threads a sum is spread over (default: the machine's, at most 8). Results do not depend on it. */
  threads?: number | undefined;
}

/** The CPU backend, or every reason why there is none. Never throws. */
export function createCpuBackend(options: CpuBackendOptions = {}): Backend | { unavailable: string } {
  const { addon, path, reasons } = loadAddon();
  if (!addon) return { unavailable: reasons.join('; ') };
  return new CpuBackend(
    addon,
    path,
    options.threads ?? Math.min(availableParallelism(), MOST_DEFAULT_THREADS),
  );
}

export interface CudaStatus {
  /** The addon was built with CUDA. */
  readonly compiled: boolean;
  /** Names of the GPUs found. */
  readonly devices: readonly string[];
  /** Why CUDA is not used. */
  readonly reason: string;
}

let knownCudaStatus: CudaStatus | undefined;

/** What there is of CUDA, asked of the driver the first time: on a machine with one that can take a moment. */
export function cudaStatus(): CudaStatus {
  knownCudaStatus ??= probeCuda();
  return knownCudaStatus;
}

function probeCuda(): CudaStatus {
  const { addon, reasons } = loadAddon();
  const none = { compiled: false, devices: [] };
  if (!addon) return { ...none, reason: `the native addon could not be loaded: ${reasons.join('; ')}` };
  if (!addon.buildInfo.cuda.compiled) return { ...none, reason: 'the native addon was built without nvcc' };
  const probe = addon.cudaProbe();
  if (isStatus(probe)) return { ...none, compiled: true, reason: probe.message };
  return { compiled: true, devices: probe.devices, reason: explainCuda(probe) };
}

function explainCuda(probe: {
  devices: readonly string[];
  driverVersion: number;
  error: string | null;
}): string {
  if (probe.devices.length > 0)
    return `${probe.devices.join(', ')} is there, but this version of pike-mixer does not use its CUDA kernels yet`;
  const what = probe.driverVersion === 0 ? 'no NVIDIA driver is installed' : 'no NVIDIA GPU can be used';
  return probe.error === null ? what : `${what} (${probe.error})`;
}

class CpuBackend implements Backend {
  readonly name = 'cpu';
  readonly instructionSet: string;
  readonly #addon: NativeAddon;
  readonly #path: string;
  readonly #threads: number;

  constructor(addon: NativeAddon, path: string, threads: number) {
    this.#addon = addon;
    this.#path = path;
    this.#threads = threads;
    this.instructionSet = addon.buildInfo.instructionSet;
  }

  /** Asks about CUDA only when somebody wants to know. */
  get reason(): string {
    const threads = this.#threads === 1 ? '1 thread' : `${this.#threads} threads`;
    return `native kernels for host memory, ${threads} (${this.#path}); not cuda: ${cudaStatus().reason}`;
  }

  async moments(request: MomentsRequest): Promise<Moments> {
    throwIfAborted(request.signal);
    const rows = request.rows.flat();
    const layout = rows[0] ?? request.preconditioner ?? { dtypes: [], lengths: [] };
    for (const row of rows) assertAllReadable(row, 'gradient');
    const native = {
      dtypes: dtypeNumbers(layout.dtypes),
      lengths: Float64Array.from(layout.lengths),
      rowsPerTask: Int32Array.from(request.rows, (task) => task.length),
      samples: Float64Array.from(request.samples.flat()),
      tensors: rows.flatMap((row) => row.tensors),
      preconditioner: nativePreconditioner(request.preconditioner),
      inner: request.inner,
      rowScalars: request.rowScalars,
      threads: this.#threads,
    };
    return await settle(this.#addon, request.signal, (cancellation) =>
      this.#addon.moments(native, cancellation),
    );
  }

  stream(request: MomentStreamRequest): MomentStream {
    return new CpuMomentStream(this.#addon, request, this.#threads);
  }
}

class CpuMomentStream implements MomentStream {
  readonly #addon: NativeAddon;
  readonly #lengths: Float64Array;
  readonly #stream: NativeMomentStream;

  constructor(addon: NativeAddon, request: MomentStreamRequest, threads: number) {
    const { tasks, layout, inner } = request;
    this.#addon = addon;
    this.#lengths = Float64Array.from(layout.lengths);
    this.#stream = new addon.MomentStream({
      tasks,
      dtypes: dtypeNumbers(layout.dtypes),
      lengths: this.#lengths,
      inner,
      threads,
    });
  }

  async add(
    task: number,
    gradient: GradientView,
    samples: number,
    preconditioner: GradientView | null,
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    assertAllReadable(gradient, 'gradient');
    const metric = nativePreconditioner(preconditioner);
    await settle(this.#addon, signal, (cancellation) =>
      this.#stream.add(task, gradient.tensors, samples, metric, this.#lengths, cancellation),
    );
  }

  async moments(signal?: AbortSignal): Promise<Moments> {
    throwIfAborted(signal);
    return await settle(this.#addon, signal, (cancellation) => this.#stream.moments(cancellation));
  }

  dispose(): void {
    this.#stream.dispose();
  }
}

function dtypeNumbers(dtypes: readonly Dtype[]): Uint8Array {
  return Uint8Array.from(dtypes, (dtype) => DTYPE_NUMBERS[dtype]);
}

function nativePreconditioner(view: GradientView | null): NativePreconditioner | null {
  if (view === null) return null;
  assertAllReadable(view, 'preconditioner');
  return { dtypes: dtypeNumbers(view.dtypes), tensors: view.tensors };
}

/** Again, although it was checked when it came in: the caller may have transferred it since. */
function assertAllReadable(view: GradientView, name: string): void {
  for (const memory of view.tensors) assertReadable(memory, name);
}

/** Begins a native call, cancels it when the signal fires, and throws what a status says. */
async function settle<T>(
  addon: NativeAddon,
  signal: AbortSignal | undefined,
  begin: (cancellation: NativeCancellation | null) => NativeResult<T>,
): Promise<T> {
  const cancellation = signal ? new addon.Cancellation() : null;
  const cancel = () => cancellation?.cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const result = await begin(cancellation);
    if (!isStatus(result)) return result;
    if (result.code === 'ERR_ABORTED') throwIfAborted(signal);
    throw new PikeError(result.code as ErrorCode, result.message);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function isStatus(result: unknown): result is NativeStatus {
  return typeof result === 'object' && result !== null && 'code' in result;
}

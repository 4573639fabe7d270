/**
 * The CPU backend: the native addon behind the `Backend` interface, for gradients in host memory.
 */
import { availableParallelism } from 'node:os';
import type { GradientView } from '../gradients/gradient.js';
import type { HostView } from '../gradients/host-gradient.js';
import type { Moments } from '../statistics/statistics.js';
import { throwIfAborted } from '../validate.js';
import type { Backend, MomentStream, MomentStreamRequest, MomentsRequest } from './backend.js';
import { CallOrder } from './call-order.js';
import { cudaStatus } from './cuda-status.js';
import {
  buildAdvice,
  loadAddon,
  type NativeAddon,
  type NativeMomentStream,
  type NativePreconditioner,
} from './load-addon.js';
import { hostView } from './memory.js';
import { assertAllReadable, dtypeNumbers, settle } from './native-call.js';

/** Of this thread of JavaScript, which has one executor. */
const order = new CallOrder();

/** Past some eight threads, memory and not arithmetic is what takes the time. */
const MOST_DEFAULT_THREADS = 8;

/**
 * Elements that are worth a thread by default: they are read in a fraction of a millisecond, and to wake a thread takes a
 * tenth of one. Fewer would gain little, and take a processor from whatever JavaScript does meanwhile.
 */
const ELEMENTS_PER_THREAD = 1 << 20;

export interface CpuBackendOptions {
  /**
   * How many threads a sum is spread over (default: the machine's, at most 8, and one for every 2^20 elements). Results
   * do not depend on it.
   */
  threads?: number | undefined;
  /** It was asked for by name (default false): then nobody asks why it is not another. */
  byName?: boolean;
}

/** The CPU backend, or every reason why there is none. Never throws. */
export function createCpuBackend(options: CpuBackendOptions = {}): Backend | { unavailable: string } {
  const { addon, path, reasons } = loadAddon();
  if (!addon) return { unavailable: [...reasons, buildAdvice() ?? []].flat().join('; ') };
  const { complaint } = addon.buildInfo;
  if (complaint !== null) return { unavailable: complaint };
  return new CpuBackend(addon, path, options.threads, options.byName ?? false);
}

/** Most threads that a sum is spread over when nobody says how many. */
export function defaultThreads(): number {
  return threadsFor(undefined);
}

/** @param elements that are read; Infinity when left out */
function threadsFor(asked: number | undefined, elements = Infinity): number {
  if (asked !== undefined) return asked;
  const most = Math.min(availableParallelism(), MOST_DEFAULT_THREADS);
  return Math.max(1, Math.min(most, Math.floor(elements / ELEMENTS_PER_THREAD)));
}

class CpuBackend implements Backend {
  readonly name = 'cpu';
  readonly instructionSet: string;
  readonly #addon: NativeAddon;
  readonly #path: string;
  readonly #threads: number | undefined;
  readonly #byName: boolean;

  constructor(addon: NativeAddon, path: string, threads: number | undefined, byName: boolean) {
    this.#addon = addon;
    this.#path = path;
    this.#threads = threads;
    this.#byName = byName;
    this.instructionSet = addon.buildInfo.instructionSet;
  }

  /** Asks about CUDA only when somebody wants to know. */
  get reason(): string {
    const most = threadsFor(this.#threads);
    const threads = most === 1 ? '1 thread' : `${this.#threads === undefined ? 'up to ' : ''}${most} threads`;
    const what = `native kernels for host memory, ${threads} (${this.#path})`;
    if (this.#byName) return `asked for by name; ${what}`;
    const { usable, reason } = cudaStatus();
    return `${what}; not cuda: ${usable ? 'gradients are in host memory, which is read where it is' : reason}`;
  }

  async moments(request: MomentsRequest): Promise<Moments> {
    throwIfAborted(request.signal);
    const rows = request.rows.flat().map((row) => readable(row, 'gradient'));
    const layout = rows[0] ?? request.preconditioner ?? { dtypes: [], lengths: [] };
    const native = {
      dtypes: dtypeNumbers(layout.dtypes),
      lengths: Float64Array.from(layout.lengths),
      rowsPerTask: Int32Array.from(request.rows, (task) => task.length),
      samples: Float64Array.from(request.samples.flat()),
      tensors: rows.flatMap((row) => row.tensors),
      preconditioner: nativePreconditioner(request.preconditioner),
      inner: request.inner,
      rowScalars: request.rowScalars !== false,
      threads: threadsFor(this.#threads, rows.length * elementsOf(layout)),
    };
    return await settle(this.#addon, order, request.caller ?? this, request.signal, (cancellation) =>
      this.#addon.moments(native, cancellation, true),
    );
  }

  stream(request: MomentStreamRequest): MomentStream {
    // An observation reads a gradient and a mean.
    const threads = threadsFor(this.#threads, 2 * elementsOf(request.layout));
    return new CpuMomentStream(this.#addon, this, request, threads);
  }
}

function elementsOf({ lengths }: { readonly lengths: readonly number[] }): number {
  return lengths.reduce((sum, length) => sum + length, 0);
}

class CpuMomentStream implements MomentStream {
  readonly #addon: NativeAddon;
  readonly #caller: object;
  readonly #lengths: Float64Array;
  readonly #stream: NativeMomentStream;

  constructor(addon: NativeAddon, caller: object, request: MomentStreamRequest, threads: number) {
    const { tasks, layout, inner } = request;
    this.#addon = addon;
    this.#caller = caller;
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
    const { tensors } = readable(gradient, 'gradient');
    const metric = nativePreconditioner(preconditioner);
    await settle(this.#addon, order, this.#caller, signal, (cancellation) =>
      this.#stream.add(task, tensors, samples, metric, this.#lengths, cancellation, true),
    );
  }

  async moments(signal?: AbortSignal): Promise<Moments> {
    throwIfAborted(signal);
    return await settle(this.#addon, order, this.#caller, signal, (cancellation) =>
      this.#stream.moments(cancellation),
    );
  }

  dispose(): void {
    order.inTurn(this.#caller, () => this.#stream.dispose());
  }
}

function nativePreconditioner(view: GradientView | null): NativePreconditioner | null {
  if (view === null) return null;
  const { dtypes, tensors } = readable(view, 'preconditioner');
  return { dtypes: dtypeNumbers(dtypes), tensors };
}

function readable(view: GradientView, name: string): HostView {
  const host = hostView(view, name, 'cpu');
  assertAllReadable(host, name);
  return host;
}

/**
 * The reference: sums over gradients in plain TypeScript and float64, meant to be held against the formulas.
 * Every native result is verified against it. It reads on the JS thread, in slices, and lets the event loop
 * run between them.
 *
 * @module pike-mixer/reference
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import { bfloat16ToNumber, float16ToNumber } from '../gradients/half.js';
import { assertReadable, type HostView, type TensorMemory } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import type { Moments } from '../statistics/statistics.js';
import { throwIfAborted } from '../validate.js';
import type { Backend, MomentStream, MomentStreamRequest, MomentsRequest } from './backend.js';
import { hostView } from './memory.js';

export type { DeviceView } from '../gradients/device-gradient.js';
export { type Gradient, type GradientView, viewGradient } from '../gradients/gradient.js';
export type { HostView } from '../gradients/host-gradient.js';
export type { GradientLayout } from '../gradients/layout.js';
export type { Moments } from '../statistics/statistics.js';
export type { Backend, MomentStream, MomentStreamRequest, MomentsRequest } from './backend.js';

/** Elements read between two looks at the clock: about a tenth of a millisecond. */
const SLICE_ELEMENTS = 16384;
/** Longest section on the JS thread, in milliseconds. */
const SLICE_MILLISECONDS = 0.5;

/**
 * The reference as a backend: what sums over gradients must come to, for holding kernels of one's own against it. Statistics
 * and mixers use it by `backend: 'reference'`.
 *
 * @param reason what `reason` of the backend says: why it is in use
 */
export function createReferenceBackend(reason = 'asked for by name'): Backend {
  return {
    name: 'reference',
    reason,
    moments: referenceMoments,
    stream: (request) => new ReferenceStream(request),
  };
}

async function referenceMoments(request: MomentsRequest): Promise<Moments> {
  const { samples, inner, rowScalars, signal } = request;
  const rows = request.rows.map((task) => task.map((row) => readable(row, 'gradient')));
  const preconditioner = request.preconditioner && readable(request.preconditioner, 'preconditioner');
  const K = rows.length;
  const m = Int32Array.from(rows, (task) => task.length);
  const n = Float64Array.from(samples, (sizes) => sizes.reduce((sum, s) => sum + s, 0));
  const deviation = new Float64Array(K);
  const meanInner = zeros(K * K);
  const rowDeviation = rows.map((task) => new Float64Array(task.length));
  const rowAlignment = rows.map((task) => new Float64Array(task.length));
  const mean = new Float64Array(K);

  const allRows = rows.flat();
  const layout = allRows[0] ?? preconditioner;
  if (layout) {
    await overColumns(layout, allRows.length + 1, signal, (tensor, begin, end) => {
      const read = rows.map((task) => task.map((row) => decode(row, tensor, begin, end)));
      const metric = preconditioner ? decodeMetric(preconditioner, tensor, begin, end) : null;
      for (let c = 0; c < end - begin; c++) {
        const D = metric ? metric[c] : 1;
        for (let k = 0; k < K; k++) {
          // ḡ_k = sum_i (s_i/n) g_ki
          mean[k] = 0;
          for (let i = 0; i < m[k]; i++) mean[k] += (samples[k][i] / n[k]) * read[k][i][c];
          for (let i = 0; i < m[k]; i++) {
            const away = read[k][i][c] - mean[k];
            deviation[k] += samples[k][i] * away * D * away;
            rowDeviation[k][i] += away * D * away;
            rowAlignment[k][i] += away * D * mean[k];
          }
          if (inner) for (let j = 0; j < k; j++) meanInner[j * K + k] += mean[j] * D * mean[k];
          meanInner[k * K + k] += mean[k] * D * mean[k];
        }
      }
    });
  }

  for (let j = 0; j < K; j++) for (let k = 0; k < j; k++) meanInner[j * K + k] = meanInner[k * K + j];
  return {
    microBatches: m,
    samples: n,
    deviation,
    meanNormSquared: Float64Array.from({ length: K }, (_, k) => meanInner[k * K + k]),
    meanInner: inner ? meanInner : null,
    rowDeviation: rowScalars ? concatenate(rowDeviation) : null,
    rowAlignment: rowScalars ? concatenate(rowAlignment) : null,
  };
}

/**
 * Welford's update with one mean vector for all tasks in turn, or one per task when products are wanted.
 * The vectors hold the means of √D·g, so that nothing needs to be known of D afterwards.
 */
class ReferenceStream implements MomentStream {
  readonly #request: MomentStreamRequest;
  readonly #means: (Float64Array[] | undefined)[];
  readonly #microBatches: Int32Array;
  readonly #samples: Float64Array;
  readonly #deviation: Float64Array;
  readonly #meanNormSquared: Float64Array;

  constructor(request: MomentStreamRequest) {
    this.#request = request;
    this.#means = new Array(request.inner ? request.tasks : 1);
    this.#microBatches = new Int32Array(request.tasks);
    this.#samples = new Float64Array(request.tasks);
    this.#deviation = new Float64Array(request.tasks);
    this.#meanNormSquared = new Float64Array(request.tasks);
  }

  async add(
    task: number,
    row: GradientView,
    samples: number,
    metricRow: GradientView | null,
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    const gradient = readable(row, 'gradient');
    for (const memory of gradient.tensors) assertReadable(memory, 'gradient');
    const preconditioner = metricRow && readable(metricRow, 'preconditioner');
    if (preconditioner)
      await overColumns(preconditioner, 1, signal, (tensor, begin, end) => {
        decodeMetric(preconditioner, tensor, begin, end);
      });
    const slot = this.#request.inner ? task : 0;
    const first = this.#microBatches[task] === 0;
    const mean = this.#means[slot] ?? gradient.lengths.map(zeros);
    this.#means[slot] = mean;
    const before = this.#samples[task];
    const n = before + samples;
    let deltaSquared = 0;
    let meanSquared = 0;
    const update = overColumns(gradient, 2, undefined, (tensor, begin, end) => {
      const g = decode(gradient, tensor, begin, end);
      const metric = preconditioner ? decodeMetric(preconditioner, tensor, begin, end) : null;
      const vector = mean[tensor];
      for (let c = begin; c < end; c++) {
        const x = metric ? Math.sqrt(metric[c - begin]) * g[c - begin] : g[c - begin];
        const delta = first ? 0 : x - vector[c];
        vector[c] = first ? x : vector[c] + (samples / n) * delta;
        deltaSquared += delta * delta;
        meanSquared += vector[c] * vector[c];
      }
    });
    await update.catch((error: unknown) => {
      // The vector is half updated. Whoever it belongs to is a miss, never a wrong number; one vector for all is
      // everybody's.
      if (this.#request.inner) this.#deviation[task] = Number.NaN;
      else this.#deviation.fill(Number.NaN);
      throw error;
    });
    this.#microBatches[task]++;
    this.#samples[task] = n;
    this.#deviation[task] += ((samples * before) / n) * deltaSquared;
    this.#meanNormSquared[task] = meanSquared;
  }

  async moments(signal?: AbortSignal): Promise<Moments> {
    throwIfAborted(signal);
    const { tasks: K, layout, inner } = this.#request;
    let meanInner: Float64Array | null = null;
    if (inner) {
      const products = zeros(K * K);
      await overColumns(layout, K, signal, (tensor, begin, end) => {
        for (let j = 0; j < K; j++)
          for (let k = j + 1; k < K; k++) {
            const a = this.#means[j]?.[tensor];
            const b = this.#means[k]?.[tensor];
            if (a && b) for (let c = begin; c < end; c++) products[j * K + k] += a[c] * b[c];
          }
      });
      for (let j = 0; j < K; j++) {
        products[j * K + j] = this.#meanNormSquared[j];
        for (let k = 0; k < j; k++) products[j * K + k] = products[k * K + j];
      }
      meanInner = products;
    }
    return {
      microBatches: this.#microBatches.slice(),
      samples: this.#samples.slice(),
      deviation: this.#deviation.slice(),
      meanNormSquared: this.#meanNormSquared.slice(),
      meanInner,
      rowDeviation: null,
      rowAlignment: null,
    };
  }

  dispose(): void {
    this.#means.length = 0;
  }
}

/** Calls `visit(tensor, begin, end)` for slices of every tensor in order, yielding to the event loop in between. */
async function overColumns(
  layout: { readonly lengths: readonly number[] },
  rows: number,
  signal: AbortSignal | undefined,
  visit: (tensor: number, begin: number, end: number) => void,
): Promise<void> {
  const step = Math.max(64, Math.floor(SLICE_ELEMENTS / rows));
  let since = performance.now();
  for (let tensor = 0; tensor < layout.lengths.length; tensor++)
    for (let begin = 0; begin < layout.lengths[tensor]; begin += step) {
      throwIfAborted(signal);
      visit(tensor, begin, Math.min(begin + step, layout.lengths[tensor]));
      if (performance.now() - since > SLICE_MILLISECONDS) {
        await nextTurn();
        since = performance.now();
      }
    }
}

/** @throws PikeError `ERR_MEMORY` */
function zeros(length: number): Float64Array {
  try {
    return new Float64Array(length);
  } catch (cause) {
    throw new PikeError(
      'ERR_MEMORY',
      `There is no memory for ${length} numbers: ${(cause as Error).message}. Fewer tasks, or no inner products, need less.`,
      { cause },
    );
  }
}

function readable(view: GradientView, name: string): HostView {
  return hostView(view, name, 'reference');
}

/** Elements `begin`…`end` of one tensor of a gradient, in float64. */
function decode(view: HostView, tensor: number, begin: number, end: number): Float64Array {
  const memory: TensorMemory = view.tensors[tensor];
  if (memory.length !== view.lengths[tensor])
    throw new PikeError('ERR_DETACHED', 'The memory of a gradient was taken away while it was being read.');
  const dtype: Dtype = view.dtypes[tensor];
  const slice = memory.subarray(begin, end);
  if (dtype === 'bfloat16') return Float64Array.from(slice, bfloat16ToNumber);
  if (dtype === 'float16') return Float64Array.from(slice, float16ToNumber);
  return Float64Array.from(slice);
}

function decodeMetric(view: HostView, tensor: number, begin: number, end: number): Float64Array {
  const metric = decode(view, tensor, begin, end);
  for (let c = 0; c < metric.length; c++)
    if (!(metric[c] >= 0 && metric[c] < Infinity))
      throw new PikeError(
        'ERR_INVALID_OPTION',
        `preconditioner must hold finite numbers >= 0, but element ${begin + c} of tensor ${tensor} is ${metric[c]}.`,
      );
  return metric;
}

function concatenate(parts: readonly Float64Array[]): Float64Array {
  return Float64Array.from(parts.flatMap((part) => Array.from(part)));
}

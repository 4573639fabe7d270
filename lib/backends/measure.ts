/**
 * `statistics`: one measurement from rows of gradients, without a mixer. And the checks that every
 * measurement goes through.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { PikeError } from '../errors.js';
import { type Gradient, type GradientView, viewGradient } from '../gradients/gradient.js';
import { assertSameLayout, assertSameLengths, assertSamePlace } from '../gradients/layout.js';
import { estimate } from '../statistics/estimators.js';
import type { Statistics } from '../statistics/statistics.js';
import {
  refuseUnknown,
  requireBoolean,
  requirePositiveInteger,
  requireSignal,
  show,
  throwIfAborted,
} from '../validate.js';
import { type BackendChoice, type SelectedBackend, selectBackend } from './select.js';

/** Of `statistics`: how many samples are behind each row, what to measure, and where. */
export interface StatisticsOptions {
  /** `samples[k][i]`: samples in micro-batch i of task k; positive integers, shaped like `rows`. */
  samples: readonly (readonly number[])[];
  /** Measure the K×K inner products too (default false). */
  inner?: boolean;
  /** Jackknife standard errors of N and σ² (default false); they need m_k >= 3 micro-batches. */
  standardErrors?: boolean;
  /** Diagonal D of the metric, same tensor lengths and memory, finite and >= 0: products become sum_i a_i D_i b_i. */
  preconditioner?: Gradient;
  /** Where to compute (default 'auto': where the gradients lie). */
  backend?: BackendChoice;
  /** Threads of the CPU backend (default: the machine's, at most 8, and one for every 2^20 elements). */
  threads?: number;
  /** Aborts the call, which then rejects with its reason. */
  signal?: AbortSignal;
}

/** A process is told once that `statistics` falls back to the reference. */
let fallbackTold = false;

/**
 * Unbiased N_k, σ_k² and G_jk of K >= 1 tasks in one pass over their micro-batch gradients.
 *
 * @param rows `rows[k][i]`: mean gradient of micro-batch i of task k, d elements, at least two per task
 * @returns the estimates
 * @throws PikeError `ERR_SHAPE`, `ERR_DTYPE`, `ERR_DETACHED` for rows that do not fit together,
 *   `ERR_TOO_FEW_MICROBATCHES`, `ERR_NON_FINITE` when a gradient is not finite, `ERR_INVALID_OPTION`,
 *   `ERR_NO_BACKEND`, `ERR_MEMORY`, `ERR_CUDA`, `ERR_CUDA_FATAL`; or the signal's reason
 */
export async function statistics(
  rows: readonly (readonly Gradient[])[],
  options: StatisticsOptions,
): Promise<Statistics> {
  refuseUnknown('statistics', options ?? {}, [
    'samples',
    'inner',
    'standardErrors',
    'preconditioner',
    'backend',
    'threads',
    'signal',
  ]);
  requireSignal(options?.signal);
  throwIfAborted(options?.signal);
  const checked = checkRows(rows, options?.samples, options?.preconditioner);
  const short = checked.rows.findIndex((task) => task.length < 2);
  if (short >= 0) throw tooFewMicroBatches(`Task ${short} has ${checked.rows[short].length}`);
  const inner = requireBoolean('inner', options.inner ?? false);
  const standardErrors = requireBoolean('standardErrors', options.standardErrors ?? false);
  const { source, fallback } = await select(options);
  const [[first]] = checked.rows;
  source.assertTakes(first, checked.preconditioner, 'rows[0][0]');
  if (fallback && !fallbackTold) {
    fallbackTold = true;
    process.emitWarning(fallback, { type: 'PikeMixerWarning', code: 'WARN_BACKEND_FALLBACK' });
  }
  const backend = await source.open(first);
  const moments = await backend.moments({
    ...checked,
    inner,
    rowScalars: standardErrors,
    signal: options.signal,
    caller: statistics,
  });
  const result = estimateOrRefuse(moments, standardErrors ? checked.samples : undefined);
  const bad = result.normSquared.findIndex((N) => Number.isNaN(N));
  if (bad >= 0)
    throw new PikeError(
      'ERR_NON_FINITE',
      `A gradient of task ${bad} holds NaN, Infinity or numbers whose squares overflow; expected finite numbers.`,
    );
  return result;
}

/**
 * In a thread that is being terminated no addon can be loaded. As in call-order.ts: a caller who tries again and again
 * would keep the thread from its end.
 */
async function select({ backend, threads }: StatisticsOptions): Promise<SelectedBackend> {
  try {
    return selectBackend(backend ?? 'auto', { threads });
  } catch (error) {
    await nextTurn();
    throw error;
  }
}

/** @throws PikeError `ERR_MEMORY` where the K×K products cannot be had once more */
function estimateOrRefuse(...given: Parameters<typeof estimate>): Statistics {
  try {
    return estimate(...given);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new PikeError('ERR_MEMORY', `There is no memory for so many products: ${cause.message}.`, {
      cause,
    });
  }
}

export interface CheckedRows {
  readonly rows: GradientView[][];
  readonly samples: number[][];
  readonly preconditioner: GradientView | null;
}

/** Checks the shapes of a whole measurement; a task may have any number of rows, but some task must have one. */
export function checkRows(rows: unknown, samples: unknown, preconditioner: unknown): CheckedRows {
  if (!Array.isArray(rows) || rows.length === 0 || !Array.from(rows).every(Array.isArray))
    throw new PikeError(
      'ERR_SHAPE',
      `rows must be a list with a list of gradients for every task, but is ${show(rows)}.`,
    );
  if (!Array.isArray(samples) || samples.length !== rows.length || !Array.from(samples).every(Array.isArray))
    throw new PikeError(
      'ERR_SHAPE',
      `samples must be ${rows.length} lists of sizes, shaped like rows: samples[k][i] for rows[k][i]; but is ${show(samples)}.`,
    );
  let first: GradientView | undefined;
  let firstName = '';
  const views = rows.map((task: unknown[], k) => {
    if (task.length !== samples[k].length)
      throw new PikeError(
        'ERR_SHAPE',
        `rows[${k}] has ${task.length} gradients, but samples[${k}] has ${samples[k].length} sizes; expected one size for each.`,
      );
    return Array.from(task, (gradient, i) => {
      const name = `rows[${k}][${i}]`;
      const view = viewGradient(gradient, name);
      if (first) {
        assertSamePlace(view, first, name, firstName);
        assertSameLayout(view, first, name, firstName);
      } else [first, firstName] = [view, name];
      return view;
    });
  });
  if (!first) throw tooFewMicroBatches('No task has any');
  const sizes = samples.map((task: unknown[], k) =>
    Array.from(task, (s, i) => requirePositiveInteger(`samples[${k}][${i}]`, s)),
  );
  return {
    rows: views,
    samples: sizes,
    preconditioner: checkPreconditioner(preconditioner, first, firstName),
  };
}

export function checkPreconditioner(
  preconditioner: unknown,
  row: GradientView,
  rowName: string,
): GradientView | null {
  if (preconditioner == null) return null;
  const view = viewGradient(preconditioner, 'preconditioner');
  assertSamePlace(view, row, 'preconditioner', rowName);
  assertSameLengths(view, row, 'preconditioner', rowName);
  return view;
}

export function tooFewMicroBatches(what: string): PikeError {
  return new PikeError(
    'ERR_TOO_FEW_MICROBATCHES',
    `${what} micro-batches; a variance needs at least two per task, since one gradient cannot tell signal from noise.`,
  );
}

/** Holds a backend against what is promised of it: sums, bits and weights. Plain JSON comes out. */
import type { Backend } from '../backends/backend.js';
import { SOLVED_RULES } from '../backends/weight-update.js';
import type { Dtype } from '../gradients/layout.js';
import { VERSION } from '../version.js';
import { differentBits, flatten } from './compare.js';
import { DEVICE_DTYPES, drawInputs, HOST_DTYPES, problem } from './inputs.js';
import { errorOf, hostRequest, measure } from './measure-problem.js';
import { MEASURED_RULES, measuredWeightError } from './measured-weights.js';
import { type HostProblem, type Posed, problemSet, type VerificationSize } from './problem-set.js';
import { SOLVED_SHAPES, solvedWeightError, WEIGHT_ERROR } from './solved-weights.js';

export interface VerifyOptions {
  readonly backend: Backend;
  /** The same backend on so many threads, where that is for the caller to say. */
  readonly withThreads?: ((threads: number) => Backend) | undefined;
  /** How much (default 'full'). */
  readonly size?: VerificationSize;
  /** Which random numbers (default 1). */
  readonly seed?: number;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface Verification {
  /** Of pike-mixer. */
  readonly version: string;
  readonly backend: {
    readonly name: string;
    readonly instructionSet: string | null;
    readonly device: string | null;
    readonly reason: string;
  };
  readonly size: VerificationSize;
  readonly seed: number;
  /** Every promise was kept. */
  readonly passed: boolean;
  readonly seconds: number;
  /** Sums, by kind and element type. */
  readonly sums: readonly SumsVerified[];
  readonly bits: readonly BitsVerified[];
  readonly weights: readonly WeightsVerified[];
}

export interface SumsVerified {
  readonly group: string;
  readonly dtype: string;
  readonly problems: number;
  /** In units of u_j u_k for products, u_k² for N, n_k u_k² for σ²; Infinity where a number is missing or not finite. */
  readonly largest: number;
  readonly promised: number;
  /** The problem with the largest error, as a multiple of what is promised for it. */
  readonly worst: string;
  readonly kept: boolean;
}

export interface BitsVerified {
  readonly what: string;
  /** Numbers that differ in any bit, over all runs. */
  readonly different: number;
  readonly kept: boolean;
}

export interface WeightsVerified {
  readonly rule: string;
  readonly measurements: number;
  /** Relative. */
  readonly largest: number;
  readonly promised: number;
  readonly kept: boolean;
}

const THREADS = [1, 2, 3, 4, 8];
const REPEATED = 3;
const BIT_COLUMNS: Readonly<Record<VerificationSize, number>> = {
  full: 1_000_003,
  quick: 150_001,
  tiny: 30_001,
};

/**
 * @throws PikeError what the backend throws, such as `ERR_MEMORY`: a backend that cannot be asked is no backend that
 *   keeps its promises
 */
export async function verify(options: VerifyOptions): Promise<Verification> {
  const { backend, size = 'full', seed = 1 } = options;
  const started = performance.now();
  const gpu = backend.name === 'cuda';
  const dtypes: readonly Dtype[] = gpu ? DEVICE_DTYPES : HOST_DTYPES;
  const posed = problemSet({ size, seed, dtypes, mixed: !gpu });
  const same = bitProblems(dtypes, size, seed);
  const rules = weightChecks(backend);
  const total = posed.length + same.length + rules.length;
  let done = 0;
  const tell = (what: string) => options.onProgress?.(done++, total, what);

  const errors: { posed: Posed; error: number }[] = [];
  for (const each of posed) {
    tell(each.problem.name);
    errors.push({ posed: each, error: await errorOf(backend, each.problem) });
  }
  const bits: BitsVerified[] = [];
  for (const each of same) {
    tell(`bits of ${each.name}`);
    bits.push(await bitsOf(options, each));
  }
  const weights: WeightsVerified[] = [];
  for (const { rule, errors } of rules) {
    tell(`weights by ${rule}`);
    const found = await errors();
    const largest = worstOf(found);
    const kept = largest <= WEIGHT_ERROR;
    weights.push({ rule, measurements: found.length, largest, promised: WEIGHT_ERROR, kept });
  }
  const sums = summedUp(errors);
  return {
    version: VERSION,
    backend: {
      name: backend.name,
      instructionSet: backend.instructionSet ?? null,
      device: backend.device ?? null,
      reason: backend.reason,
    },
    size,
    seed,
    passed: [...sums, ...bits, ...weights].every(({ kept }) => kept),
    seconds: (performance.now() - started) / 1000,
    sums,
    bits,
    weights,
  };
}

function summedUp(errors: readonly { posed: Posed; error: number }[]): SumsVerified[] {
  const groups = new Map<string, SumsVerified & { used: number }>();
  for (const { posed, error } of errors) {
    const { group, problem, promised } = posed;
    const dtype = problem.mixed ? 'mixed' : problem.dtype;
    const before = groups.get(`${group} ${dtype} ${promised}`);
    const used = error / promised;
    const worse = before === undefined || !(used <= before.used);
    groups.set(`${group} ${dtype} ${promised}`, {
      group,
      dtype,
      problems: (before?.problems ?? 0) + 1,
      largest: worse ? error : before.largest,
      promised,
      worst: worse ? problem.name : before.worst,
      kept: (before?.kept ?? true) && error <= promised,
      used: worse ? used : before.used,
    });
  }
  const order = [...new Set(errors.map(({ posed }) => posed.group))];
  return Array.from(groups.values(), ({ used: _, ...verified }) => verified).sort(
    (a, b) => order.indexOf(a.group) - order.indexOf(b.group),
  );
}

/** Long enough that every thread has its part. */
function bitProblems(dtypes: readonly Dtype[], size: VerificationSize, seed: number): HostProblem[] {
  const lengths = [BIT_COLUMNS[size], 1, BIT_COLUMNS[size] / 3].map(Math.floor);
  return dtypes.flatMap((dtype) =>
    [false, true].map((streamed) =>
      problem<Dtype>({ dtype, lengths, rowsPerTask: [3, 2], streamed, metric: dtypes.slice(0, 1), seed }),
    ),
  );
}

async function bitsOf({ backend, withThreads }: VerifyOptions, each: HostProblem): Promise<BitsVerified> {
  const request = hostRequest(each, drawInputs(each), backend.name === 'cuda' ? 'optional' : true);
  const backends = withThreads ? THREADS.map(withThreads) : new Array<Backend>(REPEATED).fill(backend);
  const results: number[][] = [];
  for (const one of backends) results.push(flatten(await measure(one, request, each.streamed)));
  const different = results.reduce((count, numbers) => count + differentBits(numbers, results[0]), 0);
  const runs = withThreads ? `on ${THREADS.join(', ')} threads` : `in ${REPEATED} runs`;
  return {
    what: `${each.dtype}${each.streamed ? ', streamed' : ''}, ${runs}`,
    different,
    kept: different === 0,
  };
}

/** By a backend that solves for them, or by the rules of TypeScript from what it measures. */
function weightChecks(backend: Backend): { rule: string; errors: () => Promise<number[]> }[] {
  if (!backend.solve)
    return MEASURED_RULES.map((rule) => ({ rule, errors: () => measuredWeightError(backend, rule) }));
  const request = (given: HostProblem, inputs: Parameters<typeof hostRequest>[1]) =>
    hostRequest(given, inputs, false);
  return SOLVED_RULES.map((rule) => ({
    rule,
    errors: () =>
      inTurn(SOLVED_SHAPES, ([rowsPerTask, inner]) =>
        solvedWeightError({ backend, request }, rule, rowsPerTask, inner),
      ),
  }));
}

async function inTurn<T>(items: readonly T[], run: (item: T) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (const item of items) results.push(await run(item));
  return results;
}

/** NaN is the worst of all. */
function worstOf(errors: readonly number[]): number {
  return errors.some(Number.isNaN) ? Infinity : Math.max(0, ...errors);
}

/** The same job in PyTorch, where python3 has it: gradients on the GPU to weights on the host. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Size } from '../../dist/throughput/size.js';
import { median, type Timing, timing } from '../../dist/throughput/timing.js';
import type { DeviceDtype } from '../../dist/verification/inputs.js';
import { atLeast, type Check, type PartReport, partReport, short } from '../report.js';
import { Gpu } from './device.js';
import { LEAST_SPEEDUP } from './targets.js';
import { TIMED_TASKS } from './throughput.js';
import { longestRow, Slab, type TimedCall, timedCall } from './timed-rows.js';

const SCRIPT = fileURLToPath(new URL('../../bench/gpu/peers.py', import.meta.url));
const BYTES: Readonly<Record<Size, number>> = { full: 4e9, quick: 1.2e9, tiny: 65536 };
const RUNS: Readonly<Record<Size, number>> = { full: 20, quick: 8, tiny: 2 };
const DTYPES: readonly DeviceDtype[] = ['float32', 'bfloat16'];
/** Of one task there is nothing to mix. */
const TASKS = TIMED_TASKS.filter(([tasks]) => tasks > 1);

export interface PeerShape {
  readonly dtype: DeviceDtype;
  readonly tasks: number;
  readonly rows: number;
  readonly d: number;
}

export interface PeerResult {
  readonly shape: PeerShape;
  readonly form: string;
  readonly device_ms: readonly number[];
  readonly whole_ms: readonly number[];
}

/** What peers.py writes. */
export type PeerAnswer =
  | { readonly skipped: string }
  | {
      readonly torch: string;
      readonly device: string;
      readonly results: readonly PeerResult[];
      readonly notes: readonly string[];
    };

/** It gives norms of rows, from which no weights follow: told, but not held against the promise. */
const INCOMPLETE_FORM = '_foreach_norm of rows only';

export interface Own {
  readonly device: Timing;
  readonly wall: Timing;
}

export async function peers(size: Size): Promise<PartReport> {
  // Asked first: without torch nothing needs to be timed.
  const ready = askPeers({ device: 'cuda', runs: 0, shapes: [] });
  if ('skipped' in ready) return partReport({ notes: [`Skipped: ${ready.skipped}.`] });
  const gpu = new Gpu();
  const slab = new Slab(gpu, BYTES[size], size);
  const shapes: PeerShape[] = [];
  const own = new Map<string, Own>();
  for (const dtype of DTYPES) {
    slab.fill(dtype);
    for (const [tasks, rows] of TASKS) {
      const shape = { dtype, tasks, rows, d: longestRow(slab.bytes, rows, dtype) };
      shapes.push(shape);
      for (const inner of [false, true]) {
        const call = timedCall(gpu, slab, { ...shape, inner, solve: true });
        const calls: TimedCall[] = [];
        for (let run = -2; run < RUNS[size]; run++) {
          const timed = await call();
          if (run >= 0) calls.push(timed);
        }
        own.set(keyOf(shape, inner), {
          device: timing(calls.map((each) => each.milliseconds)),
          wall: timing(calls.map((each) => each.wall)),
        });
      }
    }
  }
  gpu.release(); // PyTorch needs as much
  const answer = askPeers({ device: 'cuda', runs: RUNS[size], shapes });
  if ('skipped' in answer) return partReport({ notes: [`Skipped: ${answer.skipped}.`] });
  const report = comparePeers(answer, own);
  return size === 'tiny' ? { ...report, checks: [] } : report; // see throughput.ts
}

export const keyOf = ({ dtype, tasks, rows, d }: PeerShape, inner: boolean) =>
  [dtype, tasks, rows, d, inner].join(' ');

/** Products of all means are formed where the peer forms those of all rows. */
const needsProducts = (form: string) => form.startsWith('A @ A.T');

export function comparePeers(
  answer: Exclude<PeerAnswer, { skipped: string }>,
  own: ReadonlyMap<string, Own>,
): PartReport {
  const compared = answer.results.map((result) => {
    const ours = own.get(keyOf(result.shape, needsProducts(result.form)))!;
    return { ...result, ours, ...speedups(result, ours) };
  });
  return partReport({
    checks: compared.filter(({ form }) => form !== INCOMPLETE_FORM).map(speedupCheck),
    tables: [
      {
        title: `PyTorch ${answer.torch}: medians in ms, from gradients to weights and, in brackets, on the GPU alone`,
        head: ['dtype', 'K×m', 'form', 'PyTorch', '(GPU)', 'ours', '(GPU)', 'ratio', '(GPU)'],
        rows: compared.map(({ shape, form, ours, whole_ms, device_ms, whole, device }) => [
          shape.dtype,
          `${shape.tasks}×${shape.rows / shape.tasks}`,
          form,
          short(median(whole_ms)),
          short(median(device_ms)),
          short(ours.wall.median),
          short(ours.device.median),
          short(whole),
          short(device),
        ]),
      },
    ],
    notes: [
      ...answer.notes,
      `'${INCOMPLETE_FORM}' gives no weights; it is shown, and not held against the promise.`,
    ],
    data: compared,
  });
}

/** How many times faster ours is: as a whole, and on the GPU alone. */
export function speedups(
  { whole_ms, device_ms }: Pick<PeerResult, 'whole_ms' | 'device_ms'>,
  ours: { device: { median: number }; wall: { median: number } },
): { whole: number; device: number } {
  return { whole: median(whole_ms) / ours.wall.median, device: median(device_ms) / ours.device.median };
}

export function speedupCheck({ shape, form, whole }: PeerResult & { whole: number }): Check {
  const rows = `${shape.tasks}×${shape.rows / shape.tasks} rows`;
  return atLeast(`times faster than ${form}, ${shape.dtype}, ${rows}`, whole, LEAST_SPEEDUP);
}

/** @throws Error when peers.py fails other than by lacking what it needs */
export function askPeers(
  request: { device: 'cuda' | 'cpu'; runs: number; shapes: readonly PeerShape[] },
  python = 'python3',
): PeerAnswer {
  const { status, stdout, stderr, error } = spawnSync(python, [SCRIPT], {
    input: JSON.stringify(request),
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  // A process that ends early may also leave an error behind: its input was not read.
  if (error && status === null) return { skipped: `${python} cannot be run (${error.message})` };
  if (status !== 0) throw new Error(`peers.py ended with ${status}: ${stderr.trim()}`);
  return JSON.parse(stdout);
}

/** The same job by other means, timed in turn with ours: plain JavaScript, and OpenBLAS and NumPy where python3 has them. */
import { availableParallelism } from 'node:os';
import { type TimedBackend, timedStatistics } from './batch.js';
import type { Row } from './memory.js';
import { interleave, type Limits, wallSeconds } from './pairs.js';
import { plainStatistics } from './plain-javascript.js';
import { type Hello, type Operation, PeerError, type Python } from './python.js';
import { medianRatio, type Timing, timing } from './timing.js';

/** Rows of float32, two per task, with products. */
export interface PeerShape {
  readonly tasks: number;
  readonly perTask: number;
  readonly d: number;
}

export interface PeerTimed extends PeerShape {
  readonly peer: string;
  readonly threads: string;
  /** In seconds; ours with products, in float32, on all threads. */
  readonly own: Timing;
  readonly theirs: Timing;
  /** How many times faster ours is, by the ratios of neighbours. */
  readonly ratio: number;
}

export function peerTimed(
  peer: string,
  threads: number | string,
  { tasks, perTask, d }: PeerShape,
  times: { readonly own: readonly number[]; readonly theirs: readonly number[] },
): PeerTimed {
  const ratio = medianRatio(times.theirs, times.own);
  return {
    peer,
    threads: String(threads),
    tasks,
    perTask,
    d,
    own: timing(times.own),
    theirs: timing(times.theirs),
    ratio,
  };
}

export async function timePlainJavaScript(
  rows: readonly Row[],
  shape: PeerShape,
  limits: Limits,
  backend: TimedBackend = 'cpu',
): Promise<PeerTimed> {
  const { tasks, perTask } = shape;
  const arrays = Array.from({ length: tasks }, (_, k) =>
    rows.slice(perTask * k, perTask * (k + 1)).map(({ array }) => array as Float32Array),
  );
  const samples = arrays.map((task) => task.map(() => 4));
  const times = await interleave(
    {
      own: timedStatistics(rows, { ...shape, inner: true, threads: availableParallelism(), backend }),
      theirs: () => wallSeconds(() => plainStatistics(arrays, samples, true)),
    },
    limits,
  );
  return peerTimed('plain JavaScript', 1, shape, times);
}

/** What this Python has, by what it is asked for. */
export function operationsOf(hello: Hello): Partial<Record<Operation, string>> {
  return {
    ...(hello.openblas === null ? {} : { ssyrk: 'OpenBLAS ssyrk' }),
    ...(hello.numpy === null ? {} : { matmul: 'NumPy A @ A.T', 'two-pass': 'NumPy mean and variance' }),
  };
}

/** @throws PeerError when one fails, or when they give different results: then they have not done the same job */
export async function timePython(
  python: Python,
  rows: readonly Row[],
  shape: PeerShape,
  operations: Partial<Record<Operation, string>>,
  limits: Limits,
  backend: TimedBackend = 'cpu',
): Promise<(PeerTimed & { readonly operation: Operation })[]> {
  const threads = availableParallelism();
  await python.allocate({ tasks: shape.tasks, rows: rows.length, d: shape.d });
  const traces = new Map<string, number>();
  const found: (PeerTimed & { operation: Operation })[] = [];
  for (const [operation, name] of Object.entries(operations) as [Operation, string][]) {
    const times = await interleave(
      {
        own: timedStatistics(rows, { ...shape, inner: true, threads, backend }),
        theirs: async () => {
          const { seconds, trace } = await python.run(operation);
          traces.set(name, trace);
          return seconds;
        },
      },
      limits,
    );
    found.push({ ...peerTimed(name, threads, shape, times), operation });
  }
  assertAlike(traces);
  return found;
}

/** Peers that gave different numbers would not have done the same job. */
function assertAlike(traces: ReadonlyMap<string, number>): void {
  const values = [...traces.values()];
  if (values.some((value) => !(Math.abs(value - values[0]) <= 1e-2 * Math.abs(values[0]))))
    throw new PeerError(`they disagree about the sum of all squares: ${JSON.stringify([...traces])}`);
}

/** Next to OpenBLAS and NumPy, where python3 has them. */
import { availableParallelism } from 'node:os';
import { type PartReport, partReport } from '../report.js';
import type { Size } from '../size.js';
import { type Compared, type ComparedShape, compared, comparedCheck, comparedTable } from './compared.js';
import { longestRow, memoryBudget, type Row, RowPool } from './memory.js';
import { interleave, LIMITS } from './pairs.js';
import { type Operation, Python } from './python.js';
import { COLUMNS } from './shapes.js';
import { leastOverSsyrk } from './targets.js';
import { TINY_NOTE, timedStatistics } from './throughput.js';

const TASKS: Readonly<Record<Size, readonly number[]>> = {
  full: [1, 2, 4, 8, 16],
  quick: [1, 4, 16],
  tiny: [2],
};

export async function blas(size: Size, command?: string): Promise<PartReport> {
  const threads = availableParallelism();
  const python = await Python.start(threads, command);
  if ('skipped' in python) return partReport({ notes: [`Skipped: ${python.skipped}.`] });
  try {
    const hello = await python.hello();
    const operations: Partial<Record<Operation, string>> = {
      ...(hello.openblas === null ? {} : { ssyrk: 'OpenBLAS ssyrk' }),
      ...(hello.numpy === null ? {} : { matmul: 'NumPy A @ A.T', 'two-pass': 'NumPy mean and variance' }),
    };
    const pool = new RowPool('float32');
    const found: Compared[] = [];
    for (const tasks of Object.keys(operations).length > 0 ? TASKS[size] : []) {
      // Python holds as much as we do.
      const d = longestRow(COLUMNS[size], 2 * 2 * tasks, 'float32', memoryBudget(size));
      const rows = pool.take(2 * tasks, d);
      found.push(...(await timeShape(python, rows, { tasks, perTask: 2, d }, operations, size)));
    }
    return partReport({
      checks: found.flatMap(comparedCheck),
      tables: found.length > 0 ? [comparedTable('The same rows in Python, with products', found)] : [],
      notes: [
        ...(size === 'tiny' ? [TINY_NOTE] : []),
        ...(hello.openblas === null ? [] : [`ssyrk: ${hello.openblas}.`]),
        ...Object.values(hello.reasons).map((reason) => `Skipped: ${reason}.`),
      ],
      data: { ...hello, found },
    });
  } finally {
    python.end();
  }
}

async function timeShape(
  python: Python,
  rows: readonly Row[],
  shape: ComparedShape,
  operations: Partial<Record<Operation, string>>,
  size: Size,
): Promise<Compared[]> {
  const threads = availableParallelism();
  await python.allocate({ tasks: shape.tasks, rows: rows.length, d: shape.d });
  const traces = new Map<string, number>();
  const found: Compared[] = [];
  for (const [op, name] of Object.entries(operations) as [Operation, string][]) {
    const times = await interleave(
      {
        own: timedStatistics(rows, { ...shape, inner: true, threads }),
        theirs: async () => {
          const { seconds, trace } = await python.run(op);
          traces.set(name, trace);
          return seconds;
        },
      },
      LIMITS[size],
    );
    const target = op === 'ssyrk' && size !== 'tiny' ? leastOverSsyrk(rows.length) : null;
    found.push(compared(name, threads, shape, times, target));
  }
  assertAlike(traces);
  return found;
}

/** Peers that gave different numbers would not have done the same job. */
function assertAlike(traces: ReadonlyMap<string, number>): void {
  const values = [...traces.values()];
  if (values.some((value) => !(Math.abs(value - values[0]) <= 1e-2 * Math.abs(values[0]))))
    throw new Error(`the peers disagree about the sum of all squares: ${JSON.stringify([...traces])}`);
}

/** Next to OpenBLAS and NumPy, where python3 has them. */
import { availableParallelism } from 'node:os';
import { longestRow, memoryBudget, RowPool } from '../../dist/throughput/memory.js';
import { LIMITS } from '../../dist/throughput/pairs.js';
import { operationsOf, timePython } from '../../dist/throughput/peers.js';
import { Python } from '../../dist/throughput/python.js';
import type { Size } from '../../dist/throughput/size.js';
import { type PartReport, partReport } from '../report.js';
import { type Compared, comparedCheck, comparedTable } from './compared.js';
import { COLUMNS } from './shapes.js';
import { leastOverSsyrk } from './targets.js';
import { TINY_NOTE } from './throughput.js';

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
    const operations = operationsOf(hello);
    const pool = new RowPool('float32');
    const found: Compared[] = [];
    for (const tasks of Object.keys(operations).length > 0 ? TASKS[size] : []) {
      // Python holds as much as we do.
      const d = longestRow(COLUMNS[size], 2 * 2 * tasks, 'float32', memoryBudget(size));
      const rows = pool.take(2 * tasks, d);
      const shape = { tasks, perTask: 2, d };
      const timed = await timePython(python, rows, shape, operations, LIMITS[size]);
      for (const { operation, ...each } of timed) {
        const target = operation === 'ssyrk' && size !== 'tiny' ? leastOverSsyrk(rows.length) : null;
        found.push({ ...each, target });
      }
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

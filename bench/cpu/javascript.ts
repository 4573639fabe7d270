/** Next to plain JavaScript. */
import { availableParallelism } from 'node:os';
import { type PartReport, partReport } from '../report.js';
import type { Size } from '../size.js';
import { type Compared, compared, comparedCheck, comparedTable } from './compared.js';
import { longestRow, memoryBudget, RowPool } from './memory.js';
import { interleave, LIMITS, wallSeconds } from './pairs.js';
import { plainStatistics } from './plain-javascript.js';
import { COLUMNS } from './shapes.js';
import { LEAST_OVER_JAVASCRIPT } from './targets.js';
import { TINY_NOTE, timedStatistics } from './throughput.js';

const TASKS: Readonly<Record<Size, readonly number[]>> = { full: [1, 2, 4, 8, 16], quick: [1, 4], tiny: [2] };

export async function javascript(size: Size): Promise<PartReport> {
  const threads = availableParallelism();
  const pool = new RowPool('float32');
  const found: Compared[] = [];
  for (const tasks of TASKS[size]) {
    const shape = {
      tasks,
      perTask: 2,
      d: longestRow(COLUMNS[size], 2 * tasks, 'float32', memoryBudget(size)),
    };
    const rows = pool.take(2 * tasks, shape.d);
    const arrays = Array.from({ length: tasks }, (_, k) =>
      rows.slice(2 * k, 2 * k + 2).map(({ array }) => array as Float32Array),
    );
    const samples = arrays.map(() => [4, 4]);
    const times = await interleave(
      {
        own: timedStatistics(rows, { ...shape, inner: true, threads }),
        theirs: () => wallSeconds(() => plainStatistics(arrays, samples, true)),
      },
      LIMITS[size],
    );
    found.push(compared('plain JavaScript', 1, shape, times, size === 'tiny' ? null : LEAST_OVER_JAVASCRIPT));
  }
  return partReport({
    checks: found.flatMap(comparedCheck),
    tables: [comparedTable(`Plain JavaScript next to ours on ${threads} threads`, found)],
    notes: size === 'tiny' ? [TINY_NOTE] : [],
    data: found,
  });
}

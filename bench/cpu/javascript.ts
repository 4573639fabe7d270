/** Next to plain JavaScript. */
import { availableParallelism } from 'node:os';
import { longestRow, memoryBudget, RowPool } from '../../dist/throughput/memory.js';
import { LIMITS } from '../../dist/throughput/pairs.js';
import { timePlainJavaScript } from '../../dist/throughput/peers.js';
import type { Size } from '../../dist/throughput/size.js';
import { type PartReport, partReport } from '../report.js';
import { type Compared, comparedCheck, comparedTable } from './compared.js';
import { COLUMNS } from './shapes.js';
import { LEAST_OVER_JAVASCRIPT } from './targets.js';
import { TINY_NOTE } from './throughput.js';

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
    const target = size === 'tiny' ? null : LEAST_OVER_JAVASCRIPT;
    found.push({ ...(await timePlainJavaScript(rows, shape, LIMITS[size])), target });
  }
  return partReport({
    checks: found.flatMap(comparedCheck),
    tables: [comparedTable(`Plain JavaScript next to ours on ${threads} threads`, found)],
    notes: size === 'tiny' ? [TINY_NOTE] : [],
    data: found,
  });
}

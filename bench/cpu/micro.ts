/** What costs the same whatever the length of a gradient: batches, weights, and a call with next to nothing to read. */
import { Bench } from 'tinybench';
import { statistics } from '../../dist/backends/measure.js';
import { Allocator } from '../../dist/batching/allocation.js';
import { balanced } from '../../dist/rules/balanced.js';
import { conceptual } from '../../dist/rules/conceptual.js';
import { mirror } from '../../dist/rules/mirror.js';
import { pike } from '../../dist/rules/pike.js';
import { allocateRow, fillRow } from '../../dist/throughput/memory.js';
import { plainStatistics } from '../../dist/throughput/plain-javascript.js';
import type { Size } from '../../dist/throughput/size.js';
import { randomNumbers } from '../../dist/verification/random.js';
import { type PartReport, partReport, short } from '../report.js';

/** Milliseconds for each. */
const TIME: Readonly<Record<Size, number>> = { full: 500, quick: 100, tiny: 5 };
const TASKS = [4, 64];

export async function micro(size: Size): Promise<PartReport> {
  const bench = new Bench({ time: TIME[size], warmupTime: TIME[size] / 5, iterations: 8, throws: true });
  for (const tasks of TASKS) addSteps(bench, tasks);
  for (const length of [1, 1000]) addMeasurements(bench, length);
  await bench.run();
  const data = bench.tasks.map(({ name, result }) => {
    if (!('latency' in result)) throw new Error(`${name} was not timed`);
    const { p50, p99, samplesCount } = result.latency;
    return { name, microseconds: 1000 * p50, p99: 1000 * p99, samples: samplesCount };
  });
  return partReport({
    tables: [
      {
        title: 'Per call, in µs',
        head: ['', 'median', '99 %', 'calls'],
        rows: data.map((each) => [
          each.name,
          short(each.microseconds),
          short(each.p99),
          String(each.samples),
        ]),
      },
    ],
    data,
  });
}

function addSteps(bench: Bench, tasks: number): void {
  const random = randomNumbers(tasks);
  const draw = () => Float64Array.from({ length: tasks }, () => 0.1 + random());
  const raw = draw();
  const sum = raw.reduce((a, b) => a + b, 0);
  const weights = raw.map((weight) => weight / sum);
  const measured = { normSquared: draw(), variance: draw() };
  const allocator = new Allocator({ batchSize: 8 * tasks, tasks });
  const paper = { batchSize: 8 * tasks, zeta1: 0.1, zeta2: 0.01 };
  const bound = { batchSize: 8 * tasks, learningRate: 0.1, smoothness: 1 };
  const add = (name: string, work: () => void) => bench.add(`${name}, ${tasks} tasks`, work);
  add('Allocator.next', () => void allocator.next(weights));
  add('pike', () => void pike(weights, measured, paper));
  add('mirror', () => void mirror(weights, measured, { ...bound, alpha: 0.1 }));
  add('conceptual', () => void conceptual(weights, measured, bound));
  add('balanced', () => void balanced(weights, measured, { ...paper, losses: measured.normSquared, tau: 2 }));
}

function addMeasurements(bench: Bench, length: number): void {
  const rows = [0, 1].map((k) =>
    [0, 1].map((i) => {
      const row = allocateRow(length);
      fillRow(row, 2 * k + i);
      return row;
    }),
  );
  const samples = rows.map((task) => task.map(() => 4));
  const gradients = rows.map((task) => task.map(({ gradient }) => gradient));
  const arrays = rows.map((task) => task.map(({ array }) => array as Float32Array));
  const options = { samples, inner: true, threads: 1, backend: 'cpu' as const };
  const what = `2×2 rows of ${length}`;
  bench.add(`statistics(), ${what}`, async () => {
    await statistics(gradients, options);
  });
  bench.add(`plain JavaScript, ${what}`, () => void plainStatistics(arrays, samples, true));
}

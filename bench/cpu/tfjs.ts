/** Next to tf.matMul of TensorFlow.js on WebAssembly, which is what a tfjs user has for products. */
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, sep } from 'node:path';
import { timedStatistics } from '../../dist/throughput/batch.js';
import { type Row, RowPool } from '../../dist/throughput/memory.js';
import { interleave, LIMITS, type TimedCall, wallSeconds } from '../../dist/throughput/pairs.js';
import type { Size } from '../../dist/throughput/size.js';
import { type PartReport, partReport, short } from '../report.js';
import { type Compared, compared, comparedTable } from './compared.js';
import { COLUMNS } from './shapes.js';

const TASKS: Readonly<Record<Size, readonly number[]>> = { full: [1, 2, 4, 16], quick: [1, 4], tiny: [2] };

/** Elements of a matrix: two of them, and what comes on top, must fit into the memory of WebAssembly. */
const MOST_ELEMENTS = 1e8;

type Tf = typeof import('@tensorflow/tfjs');

export async function tfjs(size: Size): Promise<PartReport> {
  const started = await start();
  if (typeof started === 'string') return partReport({ notes: [`Skipped: ${started}.`] });
  const { tf, threads } = started;
  const own = availableParallelism();
  const found: Compared[] = [];
  const notes: string[] = [];
  for (const tasks of TASKS[size]) {
    let d = Math.min(COLUMNS[size], Math.floor(MOST_ELEMENTS / (2 * tasks)));
    for (; d >= 1024; d = Math.floor(d / 2)) {
      const rows = new RowPool('float32').take(2 * tasks, d);
      const shape = { tasks, perTask: 2, d };
      const ours = timedStatistics(rows, { ...shape, inner: true, threads: own });
      try {
        for (const transposed of [true, false]) {
          const { call, dispose } = matMul(tf, rows, d, transposed);
          try {
            const times = await interleave({ own: ours, theirs: call }, LIMITS[size]);
            const name = transposed ? 'tf.matMul(A, A, false, true)' : 'tf.matMul(A, B), B = Aᵀ made before';
            found.push(compared(name, threads, shape, times, null));
          } finally {
            dispose();
          }
        }
        break;
      } catch (error) {
        // Out of memory comes in many words.
        notes.push(
          `${2 * tasks} rows of ${short(d)} were too many for it: ${(error as Error).message.split('\n')[0]}`,
        );
      }
    }
  }
  const title = `tfjs ${tf.version.tfjs} on wasm next to ours on ${own} threads`;
  return partReport({
    tables: [comparedTable(title, found)],
    notes,
    data: { version: tf.version.tfjs, found },
  });
}

/** TensorFlow.js on WebAssembly, or why there is none. */
async function start(): Promise<{ tf: Tf; threads: number } | string> {
  try {
    const tf = await import('@tensorflow/tfjs');
    const wasm = await import('@tensorflow/tfjs-backend-wasm');
    const main = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
    wasm.setWasmPaths(dirname(main) + sep);
    if (!(await tf.setBackend('wasm'))) return 'the WebAssembly backend of tfjs did not start';
    await tf.ready();
    return {
      tf,
      threads: (await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT')) ? wasm.getThreadsCount() : 1,
    };
  } catch (error) {
    return `no tfjs with WebAssembly (${(error as Error).message.split('\n')[0]})`;
  }
}

/** A of R×d times its transpose, either read transposed or written so beforehand, whichever suits the kernel. */
function matMul(
  tf: Tf,
  rows: readonly Row[],
  d: number,
  transposed: boolean,
): { call: TimedCall; dispose(): void } {
  const flat = new Float32Array(rows.length * d);
  rows.forEach(({ array }, r) => {
    flat.set(array, r * d);
  });
  const a = tf.tensor2d(flat, [rows.length, d]);
  const b = transposed ? a : tf.transpose(a);
  a.dataSync().at(0); // is in WebAssembly's memory from here on
  return {
    call: () =>
      wallSeconds(() => {
        const products = transposed ? tf.matMul(a, a, false, true) : tf.matMul(a, b);
        products.dataSync();
        products.dispose();
      }),
    dispose: () => {
      tf.disposeVariables();
      a.dispose();
      if (b !== a) b.dispose();
    },
  };
}

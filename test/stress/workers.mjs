/**
 * Worker threads that are terminated at a random moment of a measurement:
 * `node test/stress/workers.mjs [--workers 500] [--at-once 4] [--seed 1]`. No crash, no worker
 * that goes on, and no leak beyond 2 %.
 */
import './support/frugal-malloc.mjs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { statistics } from '../../dist/index.js';
import { describe, footprint, growth } from './support/footprint.mjs';
import { mulberry32 } from './support/random.mjs';

const { values } = parseArgs({
  options: {
    workers: { type: 'string', default: '500' },
    'at-once': { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
  },
});
const random = mulberry32(Number(values.seed));
const library = new URL('../../dist/index.js', import.meta.url).href;

/** Every kind of call, over and over, until it is ended. */
const BODY = `
  const { parentPort, workerData } = require('node:worker_threads');
  (async () => {
    const { GradientBuffer, Mixer, statistics } = await import(workerData.library);
    const length = 400_000;
    const row = () => new Float32Array(length).fill(1);
    const shared = () => new Float32Array(new SharedArrayBuffer(4 * length)).fill(2);
    const owned = () => { const buffer = GradientBuffer.allocate(length); buffer.array.fill(3); return buffer; };
    const kinds = [row, shared, owned];
    const rows = kinds.map((kind) => [kind(), kind(), kind()]);
    const samples = [[1, 1, 1], [1, 1, 1], [1, 1, 1]];
    const mixer = new Mixer({ tasks: ['a', 'b', 'c'], batchSize: 32, updateInterval: 1, backend: 'cpu', inner: true });
    mixer.on('skip', () => {}); mixer.on('warning', () => {});
    const never = () => {};
    parentPort.postMessage('begun');
    for (;;) {
      statistics(rows, { samples, inner: true }).catch(never);
      statistics(rows, { samples, signal: AbortSignal.timeout(2) }).catch(never);
      const streamed = (async () => {
        for (const task of mixer.tasks)
          for (const each of rows[0]) await mixer.observe(task, each, { samples: 1 });
        await mixer.update();
        mixer.next();
      })();
      const measured = mixer.measure(rows, { samples }).catch(never);
      const buffer = owned();
      buffer.dispose();
      await streamed.catch(never);
      await measured;
    }
  })();
`;

async function one() {
  const worker = new Worker(BODY, { eval: true, workerData: { library } });
  await new Promise((begun, fail) => {
    worker.once('message', begun);
    worker.once('error', fail);
    worker.once('exit', (code) => fail(new Error(`a worker ended by itself, ${code}`)));
  });
  worker.removeAllListeners('exit');
  worker.on('error', (error) => {
    console.error('workers: an error in a worker', error);
    process.exitCode = 1;
  });
  await new Promise((later) => setTimeout(later, random() * 60));
  const late = setTimeout(() => {
    console.error('workers: one that was terminated has not ended in a minute');
    process.exit(1);
  }, 60_000);
  await worker.terminate();
  clearTimeout(late);
}

async function several(count) {
  let left = count;
  const runner = async () => {
    while (left-- > 0) await one();
  };
  await Promise.all(Array.from({ length: Number(values['at-once']) }, runner));
}

/**
 * The least of several looks: V8 keeps the pages of isolates that ended for 8 seconds and more, 25 MB on Node.js 24 and
 * 26, or nothing, by chance. A leak would be in each.
 */
async function settled() {
  let least = await footprint();
  for (let look = 0; look < (total >= 100 ? 4 : 0); look++) {
    await new Promise((later) => setTimeout(later, 9000));
    const next = await footprint();
    if (next.resident < least.resident) least = next;
  }
  return least;
}

const total = Number(values.workers);
const begun = performance.now();
// What the first ones leave behind once and for all, such as threads of the pool and arenas of malloc.
const warm = Math.max(8, Math.floor(total / 5));
await several(warm);
const before = await settled();
for (let left = total - warm; left > 0; left -= 50) {
  await several(Math.min(left, 50));
  if (left > 50) console.log(`workers: ${total - left + 50}: ${describe(await footprint())}`);
}
const after = await settled();
console.log(`workers: after ${warm}: ${describe(before)}`);
console.log(
  `workers: after ${total}: ${describe(after)}; ${((performance.now() - begun) / 1000).toFixed(0)} s`,
);
const { normSquared } = await statistics([[new Float32Array(4).fill(1), new Float32Array(4).fill(1)]], {
  samples: [[1, 1]],
});
if (normSquared[0] !== 4) throw new Error('workers: a wrong result afterwards');
const grown = process.env.PIKE_STRESS_NO_GROWTH ? '' : growth(before, after);
if (grown) {
  console.error(`workers: not flat: ${grown}`);
  process.exitCode = 1;
}

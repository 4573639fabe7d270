/**
 * A flood of measurements at once, and a small call of another mixer in the middle of it:
 * `node test/stress/flood.mjs [--calls 2000]`. Little memory is held beside the caller's own, all calls end, and the small
 * call waits for a few of the large ones, not for all.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GradientBuffer, Mixer, statistics } from '../../dist/index.js';
import { collect, residentBytes } from './support/footprint.mjs';

const { values } = parseArgs({ options: { calls: { type: 'string', default: '2000' } } });
const calls = Number(values.calls);
const LENGTH = 400_000;
const MEGABYTE = 2 ** 20;

const plain = () => new Float32Array(LENGTH).fill(1);
const owned = () => {
  const buffer = GradientBuffer.allocate(LENGTH);
  buffer.array.fill(1);
  return buffer;
};
const small = new Float32Array(100).fill(1);

function newMixer() {
  const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, updateInterval: 1, backend: 'cpu', threads: 1 });
  mixer.on('warning', () => {});
  mixer.on('skip', () => {});
  return mixer;
}

/** How long the small calls of a mixer take while all `large` calls are under way. */
async function flood(name, large) {
  const mixer = newMixer();
  await collect();
  const before = residentBytes();
  let most = before;
  const begun = performance.now();
  let done = 0;
  const all = Array.from({ length: calls }, () => large().then(() => done++));
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, 5);
  const latencies = [];
  await sleep(1);
  while (done < calls * 0.7 && latencies.length < 60) {
    const asked = performance.now();
    await mixer.observe('a', small, { samples: 1 });
    latencies.push(performance.now() - asked);
    await sleep(1);
  }
  const left = calls - done;
  await Promise.all(all);
  clearInterval(watch);
  const took = performance.now() - begun;
  mixer.dispose();
  latencies.sort((a, b) => a - b);
  const median = latencies[latencies.length >> 1] ?? Infinity;
  const slowest = latencies.at(-1) ?? Infinity;
  const held = (most - before) / MEGABYTE;
  console.log(
    `flood: ${name}: ${calls} calls in ${took.toFixed(0)} ms; a small call of another mixer: ` +
      `median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms of ${latencies.length}, ` +
      `${left} calls still waiting; ${held.toFixed(0)} MB more held at most`,
  );
  const problems = [];
  // Behind all others it would take about as long as they do; one may meet whatever else the machine does.
  if (!(median < took / 10 && slowest < took / 3)) problems.push('a small call is starved');
  if (latencies.length < 3) problems.push('too few small calls to tell');
  // Some copies of a call's rows; all of them would be thousands of megabytes.
  if (held > 100) problems.push('memory is held by calls that have not begun');
  for (const problem of problems) console.error(`flood: ${name}: ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}

const copied = [
  [plain(), plain()],
  [plain(), plain()],
];
const inPlace = [
  [owned(), owned()],
  [owned(), owned()],
];
const samples = [
  [1, 1],
  [1, 1],
];
await flood('statistics, read on the JS thread', () =>
  statistics(copied, { samples, inner: true, threads: 1 }),
);
await flood('statistics, read in place', () => statistics(inPlace, { samples, inner: true, threads: 1 }));
const mixers = Array.from({ length: 20 }, newMixer);
let next = 0;
await flood('rows that are copied, of 20 mixers', async () => {
  const mixer = mixers[next++ % mixers.length];
  await mixer.observe('a', copied[0][0], { samples: 1 });
});
for (const mixer of mixers) mixer.dispose();

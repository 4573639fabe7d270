/**
 * A flood of measurements at once, and a small call of another mixer in the middle of it:
 * `node test/stress/flood.mjs [--calls 2000]`. Little memory is held beside the caller's own, all calls end, the event
 * loop turns, and the small call waits for a few of the large ones, not for all.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { GradientBuffer, Mixer, statistics } from '../../dist/index.js';
import { collect, residentBytes } from './support/footprint.mjs';

const { values } = parseArgs({ options: { calls: { type: 'string', default: '2000' } } });
const calls = Number(values.calls);
const LENGTH = 400_000;
const MEGABYTE = 2 ** 20;
const SMALL_CALLS = 60;

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

/** How long the small calls of a mixer take while `calls` large ones wait all the time. */
async function flood(name, large) {
  const mixer = newMixer();
  await collect();
  const before = residentBytes();
  let most = before;
  const begun = performance.now();
  let done = 0;
  let going = true;
  // For each that ends another comes, so that a fast machine has not done with them before a small call is asked for.
  const again = async () => {
    do {
      await large();
      done++;
    } while (going);
  };
  const all = Array.from({ length: calls }, again);
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes());
  }, 5);
  const turns = [];
  const latencies = [];
  while (latencies.length < SMALL_CALLS) {
    const slept = performance.now();
    await sleep(1);
    const asked = performance.now();
    turns.push(asked - slept);
    await mixer.observe('a', small, { samples: 1 });
    latencies.push(performance.now() - asked);
  }
  going = false;
  await Promise.all(all);
  clearInterval(watch);
  // What a call would take that waits for all those before it.
  const behind = ((performance.now() - begun) / done) * calls;
  mixer.dispose();
  for (const times of [turns, latencies]) times.sort((a, b) => a - b);
  const turn = turns[turns.length >> 1];
  const median = latencies[latencies.length >> 1];
  const slowest = latencies.at(-1);
  const held = (most - before) / MEGABYTE;
  console.log(
    `flood: ${name}: ${calls} calls take ${behind.toFixed(0)} ms; a small call of another mixer beside as many: ` +
      `median ${median.toFixed(1)} ms, slowest ${slowest.toFixed(1)} ms of ${latencies.length}; ` +
      `a timer of 1 ms fires after ${turn.toFixed(1)} ms, at most ${turns.at(-1).toFixed(1)}; ` +
      `${held.toFixed(0)} MB more held at most`,
  );
  const problems = [];
  // Medians: a few may meet whatever else the machine does.
  if (!(median < behind / 10)) problems.push('a small call is starved');
  if (!(turn < behind / 10)) problems.push('the event loop is starved');
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

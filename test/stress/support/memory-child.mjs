/** What test/stress/memory.mjs runs: `huge`, `reserved`, `limited` or `failing`. */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { GradientBuffer, Mixer, PikeError, statistics } from '../../../dist/index.js';

const [mode] = process.argv.slice(2);
let refused = 0;

/** Does it, or is refused with ERR_MEMORY. */
async function orRefused(what, call) {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof PikeError && error.code === 'ERR_MEMORY'))
      throw new Error(`${what}: not ERR_MEMORY`, { cause: error });
    refused++;
    return null;
  }
}

const ones = (length) => new Float32Array(length).fill(1);
const SMALL = [ones(1000), ones(1000)];
async function expectUsable() {
  const { normSquared } = await statistics([SMALL], { samples: [[1, 1]], backend: 'cpu' });
  if (normSquared[0] !== 1000) throw new Error(`a wrong result: ${normSquared[0]}`);
  return true;
}

function newMixer(tasks, more) {
  const mixer = new Mixer({
    tasks: Array.from({ length: tasks }, (_, k) => `t${k}`),
    batchSize: Math.max(8, tasks),
    ...more,
  });
  mixer.on('warning', () => {});
  mixer.on('skip', () => {});
  return mixer;
}

async function huge() {
  const before = refused;
  for (const length of [2 ** 53 - 1, 2 ** 50, 1e15, Math.ceil(totalmem() / 4) + 1])
    await orRefused(`GradientBuffer of ${length}`, () => GradientBuffer.allocate(length));
  for (const dtype of ['float64', 'bfloat16'])
    await orRefused(dtype, () => GradientBuffer.allocate(2 ** 48, dtype));
  if (refused - before < 6) throw new Error('a buffer larger than the machine was had');

  // A vector per task where there are inner products: K·d beyond all memory, though one row is not.
  const length = 20_000_000;
  const row = new Float32Array(new SharedArrayBuffer(4 * length));
  const tasks = Math.ceil(totalmem() / (4 * length)) + 8;
  for (const backend of ['cpu', 'reference']) {
    if (backend === 'reference') break; // its means come one by one, as they are needed
    const mixer = newMixer(tasks, { inner: true, backend });
    const now = refused;
    await orRefused(`K·d, ${backend}`, () => mixer.observe('t0', row, { samples: 1 }));
    if (refused === now) throw new Error(`${backend}: more than all memory was had`);
    mixer.dispose();
  }

  // K² products.
  const K = Math.ceil(Math.sqrt(totalmem() / 8)) + 100;
  const one = ones(1);
  const now = refused;
  await orRefused('K²', () =>
    statistics(
      Array.from({ length: K }, () => [one, one]),
      { samples: Array.from({ length: K }, () => [1, 1]), inner: true, backend: 'cpu' },
    ),
  );
  if (refused === now) throw new Error('a matrix larger than the machine was had');
  await expectUsable();
}

/** Ordinary sizes until there is no more, and again once some is given back. */
async function limited() {
  // As in most programs, something has been measured before: the threads are there.
  await expectUsable();
  const held = [];
  for (let i = 0; i < 200; i++) {
    const buffer = await orRefused('GradientBuffer', () => GradientBuffer.allocate(10_000_000));
    if (!buffer) break;
    buffer.array.fill(1);
    held.push(buffer);
  }
  if (refused === 0) throw new Error('there was no end of memory');
  const mixer = newMixer(40, { inner: true, backend: 'cpu' });
  const before = refused;
  await orRefused('mean vectors', () => mixer.observe('t0', held[0], { samples: 1 }));
  if (refused === before) throw new Error('mean vectors were had');
  if (JSON.stringify(mixer.state()) !== JSON.stringify(newMixer(40, { inner: true, backend: 'cpu' }).state()))
    throw new Error('the mixer has changed');
  // A small call goes on.
  await expectUsable();
  for (const buffer of held.splice(2)) buffer.dispose();
  await sleep(300); // large memory is given back on a thread of its own
  const fewer = newMixer(2, { backend: 'cpu', updateInterval: 1 });
  for (const task of fewer.tasks)
    for (let i = 0; i < 3; i++) await fewer.observe(task, held[0], { samples: 1 });
  const report = await fewer.update();
  if (report.missed.length > 0) throw new Error('something was missed');
  mixer.dispose();
  fewer.dispose();
}

/** One of each kind of call; what fails is retried, and succeeds. */
async function failing() {
  const length = 700_000;
  const rows = [
    [ones(length), ones(length)],
    [ones(length), ones(length)],
  ];
  const samples = [
    [1, 1],
    [1, 1],
  ];
  const twice = async (what, call) => (await orRefused(what, call)) ?? (await call());
  await twice('batch', () =>
    statistics(rows, { samples, inner: true, standardErrors: false, backend: 'cpu' }),
  );
  const buffers = await twice('buffer', () => [
    GradientBuffer.allocate(length),
    GradientBuffer.allocate(100),
  ]);
  buffers[0].array.fill(1);
  await twice('in place', () =>
    statistics([[buffers[0], buffers[0]]], { samples: [[1, 1]], backend: 'cpu' }),
  );
  const metric = ones(length);
  await twice('metric', () => statistics(rows, { samples, preconditioner: metric, backend: 'cpu' }));
  const mixer = newMixer(2, { inner: true, backend: 'cpu', updateInterval: 1 });
  for (const task of mixer.tasks)
    for (let i = 0; i < 2; i++)
      await twice('observe', () => mixer.observe(task, rows[0][0], { samples: 1, preconditioner: metric }));
  const { statistics: measured } = await twice('update', () => mixer.update());
  if (Math.abs(measured.normSquared[0] - length) > 1e-3 * length) throw new Error('a wrong result');
  await twice('measure', () => mixer.measure(rows, { samples }));
  mixer.dispose();
  const many = Array.from({ length: 120 }, () => [SMALL[0], SMALL[1]]);
  await twice('many', () =>
    statistics(many, { samples: many.map(() => [1, 1]), inner: true, backend: 'cpu' }),
  );
  // Its own allocations, too, may be the ones that fail.
  await twice('usable', expectUsable);
}

const MODES = {
  huge,
  limited,
  failing,
  async reserved() {
    await expectUsable();
    const [, pages] = /^VmPeak:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    console.log(`reserved ${1024 * Number(pages ?? 0)}`);
  },
};

await MODES[mode]();

/**
 * Thousands of objects made and disposed of, or left to the collector: `node test/stress/lifecycle.mjs [--cycles 4000]`.
 * Memory stays flat.
 */
import './support/frugal-malloc.mjs';
import { parseArgs } from 'node:util';
import { loadAddon } from '../../dist/backends/load-addon.js';
import { GradientBuffer, MixedSource, Mixer, statistics } from '../../dist/index.js';
import { collect, describe, footprint, growth } from './support/footprint.mjs';

const { values } = parseArgs({ options: { cycles: { type: 'string', default: '4000' } } });
const cycles = Number(values.cycles);
const { addon } = loadAddon();
const row = new Float32Array(20_000).fill(1);
const shared = new Float32Array(new SharedArrayBuffer(80_000)).fill(1);

const KINDS = {
  'GradientBuffer, disposed': async () => {
    const buffer = GradientBuffer.allocate(300_000);
    buffer.array[0] = 1;
    buffer.dispose();
  },
  'GradientBuffer, left': async (i) => {
    GradientBuffer.allocate(300_000).array[0] = 1;
    if (i % 200 === 0) await collect();
  },
  'Mixer, disposed': async () => {
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'cpu' });
    await mixer.observe('a', row, { samples: 1 });
    await mixer.observe('a', shared, { samples: 1 });
    mixer.next();
    mixer.dispose();
  },
  'Mixer, left': async (i) => {
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'cpu', inner: true });
    await mixer.observe('b', row, { samples: 1 });
    if (i % 200 === 0) await collect();
  },
  'MomentStream of the addon': async () => {
    const lengths = Float64Array.of(row.length);
    const stream = new addon.MomentStream({
      tasks: 3,
      dtypes: Uint8Array.of(0),
      lengths,
      inner: true,
      threads: 2,
    });
    const added = stream.add(0, [row], 1, null, lengths, null);
    stream.dispose();
    await added;
  },
  'MomentStream, never used': async () => {
    new addon.MomentStream({
      tasks: 3,
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(10),
      inner: true,
      threads: 2,
    });
  },
  MixedSource: async () => {
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'cpu' });
    const mixture = new MixedSource({ mixer, sources: { a: [1, 2, 3], b: [4, 5] } });
    await mixture.next();
    await mixture.return();
    mixer.dispose();
  },
  'a call, aborted': async () => {
    const controller = new AbortController();
    const call = statistics([[shared, shared]], { samples: [[1, 1]], signal: controller.signal });
    controller.abort();
    await call.catch(() => {});
  },
};

for (const [name, make] of Object.entries(KINDS)) {
  const begun = performance.now();
  const warm = Math.ceil(cycles / 4);
  for (let i = 0; i < warm; i++) await make(i);
  const before = await footprint();
  for (let i = warm; i < cycles; i++) await make(i);
  const after = await footprint();
  console.log(
    `lifecycle: ${name}: ${cycles} in ${((performance.now() - begun) / 1000).toFixed(1)} s: ${describe(after)}`,
  );
  const grown = growth(before, after);
  if (!grown) continue;
  console.error(`lifecycle: ${name}: not flat: ${grown}`);
  process.exitCode = 1;
}

/** The code blocks about gradients on a GPU, run on an emulated one. */
import { beforeAll, expect, it } from 'vitest';
import { compileEmulatedAddon } from '../native/emulated-addon.js';
import { describeDocument } from '../support/documents.js';
import { resultOf } from '../support/scripts.js';

/** What stands for a GPU: two gradients of each of two tasks in the memory of an emulated one. */
const device = (addon: string) => `
  import { createRequire } from 'node:module';
  import { Mixer } from 'pike-mixer';
  const { emulator } = createRequire(import.meta.url)(${JSON.stringify(addon)});
  const parameters = 40;
  const addressOf = (value) => {
    const address = emulator.allocate('device', 0, 4 * parameters);
    emulator.poke(address, new Uint8Array(Float32Array.from({ length: parameters }, () => value).buffer));
    return address;
  };
  const tasks = ['a', 'b'];
  const [samples, losses] = [[[4, 4], [4, 4]], [[1, 1], [1, 1]]];
  const mixer = new Mixer({ tasks, batchSize: 16, backend: 'cuda' });`;
const measured = (result: { name: string; norms: number[] }) => {
  expect(result.name).toBe('cuda');
  // The variance of 1 and 3, of 5 and 5, over 40 parameters: N = 40·4 − 40·1 and 40·25.
  expect(result.norms[0]).toBeCloseTo(120, 6);
  expect(result.norms[1]).toBeCloseTo(1000, 6);
};
let addon: string;
beforeAll(async () => {
  addon = await compileEmulatedAddon();
}, 240_000);

describeDocument('docs/gpu.md', (examples) => {
  it('its rows are measured as written, on an emulated GPU', () => {
    const before = `${device(addon)}
      const values = { a: [1, 3], b: [5, 5] };
      const microBatchesOf = (task) =>
        values[task].map((value) => ({ gradientAddress: addressOf(value), streamHandle: emulator.createStream(0) }));
      let trained = 0;
      const train = (counts) => { trained = counts.reduce((a, b) => a + b); };`;
    const after = `
      const { normSquared } = report.statistics;
      console.log(JSON.stringify({ name: mixer.backend.name, norms: Array.from(normSquared), trained }));
      mixer.dispose();`;
    const result = resultOf(examples.take('js'), before, after, { PIKE_MIXER_ADDON: addon });
    measured(result);
    expect(result.trained).toBe(16);
  });
});

describeDocument('examples/cuda-native/README.md', (examples) => {
  it('the part to copy measures as written, on an emulated GPU', () => {
    const [declared, ...rest] = examples.take('js').split('\n');
    const before = `${device(addon)}
      let norms = [];
      mixer.on('update', ({ statistics }) => { norms = Array.from(statistics.normSquared); });
      const rows = [[1, 3], [5, 5]].map((values) => values.map((value) => {
        const [pointer, length, stream, owner] = [addressOf(value), parameters, emulator.createStream(0), {}];
        ${declared}
        return row;
      }));`;
    const after = `
      console.log(JSON.stringify({ name: mixer.backend.name, norms }));
      mixer.dispose();`;
    measured(resultOf(rest.join('\n'), before, after, { PIKE_MIXER_ADDON: addon }));
  });
});

/** Tasks that leave a mixture whose gradients lie in the memory of a(n emulated) GPU: what is left is still one launch. */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type DeviceTensor, Mixer, type MixerOptions, type MixerState, rules } from '../../lib/index.js';
import { type EmulatedGpus, emulatedGpus } from '../support/emulated.js';
import { largestDifference } from '../support/expect.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';

let gpus: EmulatedGpus;
beforeAll(async () => {
  gpus = await emulatedGpus();
}, 240_000);
afterEach(() => gpus.freeAll());

const tasks = ['a', 'b', 'c', 'd'];
const solved = ['pike', 'mirror', 'conceptual', 'balanced', 'gramian'];
const mixerOf = (rule: string, options: Partial<MixerOptions> = {}) =>
  new Mixer({
    tasks,
    batchSize: 8,
    rule: rules[rule],
    updateInterval: 1,
    learningRate: 0.1,
    smoothness: 0.5,
    minWeight: 0.05,
    ...options,
  });

/** Rows of the active tasks, which depend on the step alone. */
function rowsOf(mixer: Mixer) {
  const random = mulberry32(mixer.step + 1);
  return tasks.map((task, k) => {
    const drawn = [0, 1, 2].map(() => drawGradient([k + 1, 1, 2 - k, 0.5], 1, 2, random));
    return mixer.activeTasks.includes(task) ? drawn : [];
  });
}
const like = <T>(rows: readonly (readonly unknown[])[], value: (k: number) => T) =>
  rows.map((task, k) => task.map(() => value(k)));

describe.each(solved)('retire on a GPU, rule %s', (rule) => {
  it.each([
    ['by rows, in one launch', true],
    ['one by one', false],
  ])('%s, as the reference does it', async (_, byRows) => {
    let gpu = mixerOf(rule);
    const reference = mixerOf(rule, { backend: 'reference' });
    for (let t = 0; t < 8; t++) {
      if ([2, 4, 6].includes(t)) for (const mixer of [gpu, reference]) mixer.retire('bad'[t / 2 - 1]);
      // A state of a mixture without some of its tasks goes on as it would have.
      if (t === 5)
        gpu = Mixer.restore(JSON.parse(JSON.stringify(gpu.state())) as MixerState, { rule: rules[rule] });
      const rows = rowsOf(reference);
      const options = { samples: like(rows, () => 2), losses: like(rows, (k) => 1 + k) };
      const onGpu: DeviceTensor[][][] = rows.map((task) => task.map((row) => gpus.put(row)));
      const expected = await reference.measure(rows, options);
      const { kernels } = gpus.emulator.counters();
      if (byRows) await gpu.measure(onGpu, options);
      else {
        for (const [k, task] of tasks.entries())
          for (const gradient of onGpu[k]) await gpu.observe(task, gradient, { samples: 2, loss: 1 + k });
        await gpu.update();
      }
      if (byRows && rule !== 'gramian') expect(gpus.emulator.counters().kernels).toBe(kernels + 1);
      expect(gpu.backend.name).toBe('cuda');
      expect(largestDifference(gpu.weights, expected.weights)).toBeLessThan(1e-5);
      expect(gpu.next()).toEqual(reference.next());
    }
    expect(Array.from(gpu.weights)).toEqual([0, 0, 1, 0]);
  });
});

it('a task that is retired while a launch runs is not in what comes of it', async () => {
  const gpu = mixerOf('pike');
  const other = mixerOf('pike', { backend: 'reference' });
  const rows = rowsOf(gpu);
  const samples = like(rows, () => 2);
  gpus.emulator.hold();
  const pending = gpu.measure(
    rows.map((task) => task.map((row) => gpus.put(row))),
    { samples },
  );
  await new Promise((begun) => setTimeout(begun, 20));
  gpu.retire('b');
  gpus.emulator.resume();
  const report = await pending;
  other.retire('b');
  rows[1] = [];
  const expected = await other.measure(rows, { samples: like(rows, () => 2) });
  expect(report.retired).toEqual(['b']);
  expect(largestDifference(report.weights, expected.weights)).toBeLessThan(1e-5);
  expect(gpu.weights).toEqual(report.weights);
});

/**
 * Saved states and calls of the library with something wrong in them:
 * `node test/stress/fuzz-states.mjs [--seed 1] [--runs 3000]`. What comes of it is something that works, or a PikeError, and
 * then nothing has changed; never another error, a crash or a hang.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  Allocator,
  GradientBuffer,
  loadState,
  MixedSource,
  Mixer,
  PikeError,
  saveState,
  statistics,
} from '../../dist/index.js';
import { boxed, hostile, mutate, mutation, Thrown } from './support/hostile.mjs';
import { runCases } from './support/in-child.mjs';

const TASKS = ['en', 'hi', 'de'];
const sources = { en: [1, 2, 3, 4, 5], hi: ['a', 'b'], de: [null, {}] };
const row = (length = 20) => Float32Array.from({ length }, (_, i) => Math.sin(i * i) + 0.1);

function newMixer(options) {
  const mixer = new Mixer({ tasks: TASKS, batchSize: 16, updateInterval: 1, backend: 'cpu', ...options });
  return quiet(mixer);
}
function quiet(mixer) {
  mixer.on('warning', () => {});
  mixer.on('skip', () => {});
  return mixer;
}

const rows = () => TASKS.map(() => [row(), row(), row()]);
const samples = TASKS.map(() => [1, 2, 3]);
const losses = TASKS.map((_, k) => [1 + k, 2, 3]);

/** States of mixers that have come some way, by now plain JSON. */
async function makeStates() {
  const kinds = [
    {},
    { rule: 'gramian', learningRate: 0.1, smoothness: 1 },
    { rule: 'balanced', inner: true },
    { maxLogStep: Infinity, minWeight: 0.1, smoothing: 0.9, seed: 3 },
  ];
  const states = [];
  for (const options of kinds) {
    const mixer = newMixer(options);
    states.push(mixer.state());
    await mixer.measure(rows(), { samples, losses });
    mixer.next();
    states.push(mixer.state());
    mixer.retire('hi');
    states.push(mixer.state());
    mixer.dispose();
  }
  return JSON.parse(JSON.stringify(states));
}

async function makeMixedStates() {
  const mixture = new MixedSource({ mixer: newMixer(), sources, seed: 5 });
  const states = [mixture.state()];
  for (let i = 0; i < 3; i++) await mixture.next();
  await mixture.draw('de', 3);
  states.push(mixture.state());
  await mixture.return();
  return JSON.parse(JSON.stringify(states));
}

const states = await makeStates();
const mixedStates = await makeMixedStates();
const allocator = new Allocator({ batchSize: 10, tasks: 3 });
allocator.next([0.35, 0.25, 0.4]);
const allocatorState = JSON.parse(JSON.stringify(allocator.state()));
const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-states-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'state.json');

/** What a call gives, or undefined where it was refused as it should be. */
async function orRefused(call) {
  try {
    return await call();
  } catch (error) {
    // What a getter or a proxy of the caller's own throws comes back as it is.
    const own =
      error instanceof Thrown ||
      (error instanceof TypeError && /revoked|incompatible receiver/.test(error.message));
    if (error instanceof PikeError || own) return undefined;
    throw error;
  }
}

const sum = (counts) => counts.reduce((a, b) => a + b, 0);

function expectMixer(mixer) {
  quiet(mixer);
  const { weights, batchSize } = mixer;
  if (!(Math.abs(sum(weights) - 1) < 1e-6)) throw new Error(`weights sum to ${sum(weights)}`);
  if (batchSize < 1e6 && sum(mixer.next()) !== batchSize)
    throw new Error('counts do not sum to the batch size');
  JSON.stringify(mixer.state());
  mixer.dispose();
}

const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });
const apply = (value, list) =>
  list.reduce((at, { where, replacement, how }) => mutate(at, where, replacement, how), value);

/** Bytes of a file, some of them another. */
const damage = fc.array(
  fc.record({
    at: fc.nat(100_000),
    byte: fc.nat(255),
    how: fc.constantFrom('set', 'cut', 'insert', 'repeat'),
  }),
  { minLength: 1, maxLength: 4 },
);
function damaged(bytes, list) {
  let result = Buffer.from(bytes);
  for (const { at, byte, how } of list) {
    const place = at % (result.length + 1);
    if (how === 'set' && place < result.length) result[place] = byte;
    if (how === 'cut') result = result.subarray(0, place);
    if (how === 'insert')
      result = Buffer.concat([result.subarray(0, place), Buffer.of(byte), result.subarray(place)]);
    if (how === 'repeat') result = Buffer.concat([result, result.subarray(place)]);
  }
  return result;
}

/** A mixer that refuses a call is as it was. */
async function unchanged(mixer, call) {
  const before = JSON.stringify(mixer.state());
  const result = await orRefused(() => call().then(() => true));
  if (result === undefined && JSON.stringify(mixer.state()) !== before)
    throw new Error('a refused call changed the mixer');
}

const CASES = {
  mixer: fc
    .record({ which: fc.nat(100), mutations, overrides: fc.option(hostile) })
    .map((given) => async () => {
      const state = apply(states[given.which % states.length], given.mutations);
      const mixer = await orRefused(() => Mixer.restore(state, given.overrides?.()));
      if (mixer) expectMixer(mixer);
    }),
  options: fc.record({ mutations }).map((given) => async () => {
    const options = {
      tasks: TASKS,
      batchSize: 16,
      rule: 'pike',
      minWeight: 0.1,
      initialWeights: [0.2, 0.3, 0.5],
      backend: 'reference',
    };
    const mixer = await orRefused(() => new Mixer(apply(options, given.mutations)));
    if (mixer) expectMixer(mixer);
  }),
  allocator: fc
    .record({ mutations, weights: fc.oneof(boxed(fc.constant([0.2, 0.3, 0.5])), hostile), limits: hostile })
    .map((given) => async () => {
      const state = apply(allocatorState, given.mutations);
      const restored = await orRefused(() => Allocator.restore(state));
      if (!restored || restored.tasks > 1e6) return;
      const counts = await orRefused(() => restored.next(given.weights(), given.limits()));
      if (counts && sum(counts) !== restored.batchSize) throw new Error(`counts sum to ${sum(counts)}`);
    }),
  mixed: fc
    .record({ which: fc.nat(100), mutations, sources: fc.option(mutation) })
    .map((given) => async () => {
      const state = apply(mixedStates[given.which % mixedStates.length], given.mutations);
      const changed = given.sources ? apply(sources, [given.sources]) : sources;
      const mixture = await orRefused(() => MixedSource.restore(state, { sources: changed, timeout: 1000 }));
      if (!mixture) return;
      quiet(mixture.mixer);
      if (mixture.mixer.batchSize > 10_000) return;
      const drawn = await orRefused(() => mixture.next());
      if (drawn && !drawn.done && drawn.value.samples.length !== mixture.mixer.batchSize)
        throw new Error('a short batch');
      await orRefused(() => mixture.return());
    }),
  file: fc.record({ which: fc.nat(100), damage, fits: fc.boolean(), mutations }).map((given) => async () => {
    const state = mixedStates[given.which % mixedStates.length];
    // Damaged on the disk, or written by something that made the checksum fit.
    const saved = given.fits ? apply(state, given.mutations) : state;
    if ((await orRefused(() => saveState(file, saved).then(() => true))) === undefined) return;
    if (!given.fits) writeFileSync(file, damaged(readFileSync(file), given.damage));
    const loaded = await orRefused(() => loadState(file));
    if (loaded === undefined) return;
    const mixture = await orRefused(() => MixedSource.restore(loaded, { sources }));
    if (mixture) await mixture.return();
  }),
  statistics: fc
    .record({ mutations, backend: fc.constantFrom('cpu', 'reference', 'auto') })
    .map((given) => async () => {
      const options = { samples, inner: true, preconditioner: row().map(Math.abs), backend: given.backend };
      const [changedRows, changed] = asList(apply([rows(), options], given.mutations));
      const result = await orRefused(() => statistics(changedRows, changed));
      if (result && !(result.tasks >= 1)) throw new Error('statistics of nothing');
    }),
  observe: fc.record({ mutations, backend: fc.constantFrom('cpu', 'reference') }).map((given) => async () => {
    const mixer = newMixer({ backend: given.backend });
    await mixer.observe('en', row(), { samples: 3, loss: 1, preconditioner: row().map(Math.abs) });
    const args = ['en', row(), { samples: 3, loss: 1, preconditioner: row().map(Math.abs) }];
    await unchanged(mixer, () => mixer.observe(...asList(apply(args, given.mutations))));
    await unchanged(mixer, () => mixer.update(...asList(apply([{ learningRate: 0.1 }], given.mutations))));
    expectMixer(mixer);
  }),
  measure: fc.record({ mutations, backend: fc.constantFrom('cpu', 'reference') }).map((given) => async () => {
    const mixer = newMixer({ backend: given.backend, rule: 'balanced' });
    const args = [rows(), { samples, losses, learningRate: 0.1 }];
    await unchanged(mixer, () => mixer.measure(...asList(apply(args, given.mutations))));
    expectMixer(mixer);
  }),
  buffers: fc
    .record({ length: hostile, dtype: fc.oneof(boxed(fc.constant('float32')), hostile) })
    .map((given) => async () => {
      const buffer = await orRefused(() => GradientBuffer.allocate(given.length(), given.dtype()));
      buffer?.dispose();
    }),
};

function asList(value) {
  try {
    return Array.isArray(value) ? [...value] : [value];
  } catch {
    return [value];
  }
}

const anyCase = fc.oneof(...Object.values(CASES));

process.removeAllListeners('warning'); // of states of other machines, which are not to be printed

await runCases(
  import.meta.url,
  async (seed) => {
    const [run] = fc.sample(anyCase, { seed, numRuns: 1 });
    await run();
  },
  { runs: 3000 },
);

/**
 * Mixed calls for as long as one likes: `node test/stress/soak.mjs [--minutes 60] [--seed 1]`. Every few seconds it
 * prints what the process holds. Fails on any error that was not asked for, and when at the end more is held than once
 * all was warm, beyond 2 %.
 */
import './support/frugal-malloc.mjs';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  arraySource,
  GradientBuffer,
  loadState,
  MixedSource,
  Mixer,
  PikeError,
  saveState,
  shuffled,
  statistics,
  textLines,
} from '../../dist/index.js';
import { describe, footprint, growth } from './support/footprint.mjs';
import { mulberry32 } from './support/random.mjs';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
const random = mulberry32(Number(values.seed));
const below = (n) => Math.floor(random() * n);

const TASKS = ['en', 'hi', 'de'];
const LENGTH = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-soak-'));
const lines = join(folder, 'lines.txt');
writeFileSync(lines, Array.from({ length: 3000 }, (_, i) => `line ${i}`).join('\n') + '\n');
const stateFile = join(folder, 'state.json');

const row = (length = LENGTH) => Float32Array.from({ length }, () => random() - 0.4);
const ROWS = Array.from({ length: 12 }, () => row());
const BIG = Array.from({ length: 4 }, () => row(1_000_000));
const METRIC = Float32Array.from({ length: LENGTH }, () => random());
const pick = () => ROWS[below(ROWS.length)];

/** Errors that a call was to end with. */
async function expecting(codes, call) {
  try {
    await call();
  } catch (error) {
    const code = error instanceof PikeError ? error.code : error.name;
    if (codes.includes(code)) return;
    throw error;
  }
}

function newMixer(more = {}) {
  const mixer = new Mixer({ tasks: TASKS, batchSize: 64, updateInterval: 2, backend: 'cpu', ...more });
  mixer.on('warning', () => {});
  mixer.on('skip', () => {});
  return mixer;
}

const ACTIONS = {
  async streamed() {
    const mixer = newMixer({ inner: random() < 0.5 });
    for (let step = 0; step < 4; step++) {
      if (mixer.due) {
        for (const task of mixer.tasks)
          for (let i = 0; i < mixer.microBatches; i++)
            await mixer
              .observe(task, pick(), {
                samples: mixer.microBatchSize,
                ...(random() < 0.1 ? { preconditioner: METRIC } : {}),
              })
              .catch((error) => {
                // A preconditioner has to come with every row, or none.
                if (!(error instanceof PikeError)) throw error;
              });
        await mixer.update();
      }
      mixer.next();
    }
    mixer.dispose();
  },
  async batch() {
    const mixer = newMixer({ rule: random() < 0.5 ? 'pike' : 'balanced' });
    const rows = TASKS.map(() => [pick(), pick(), pick()]);
    await mixer.measure(rows, {
      samples: rows.map((task) => task.map(() => 4)),
      losses: rows.map((task, k) => task.map(() => 1 + k)),
      preconditioner: METRIC,
    });
    const other = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())));
    other.next();
    other.dispose();
    mixer.dispose();
  },
  async buffers() {
    const buffers = Array.from({ length: 4 }, (_, i) => {
      const buffer = GradientBuffer.allocate(200_000, i % 2 ? 'float32' : undefined);
      buffer.array.fill(i + 1);
      return buffer;
    });
    const measure = () =>
      statistics([buffers.slice(0, 2), buffers.slice(2)], {
        samples: [
          [1, 1],
          [2, 2],
        ],
        inner: true,
      });
    const call = expecting(['ERR_DETACHED'], measure);
    if (random() < 0.5) for (const buffer of buffers) buffer.dispose();
    await call;
    if (buffers[0].array.length > 0) await measure();
    for (const buffer of buffers) buffer.dispose();
  },
  async aborted() {
    const controller = new AbortController();
    const calls = Array.from({ length: 4 }, () =>
      expecting(['AbortError'], () =>
        statistics([BIG.slice(0, 2), BIG.slice(2)], {
          samples: [
            [1, 1],
            [1, 1],
          ],
          signal: controller.signal,
        }),
      ),
    );
    setTimeout(() => controller.abort(), below(6));
    await Promise.all(calls);
    const mixer = newMixer();
    await expecting(['AbortError'], () =>
      mixer.observe('en', pick(), { samples: 1, signal: AbortSignal.abort() }),
    );
    mixer.dispose();
  },
  async refused() {
    const bad = row(100);
    bad[below(100)] = Number.NaN;
    await expecting(['ERR_NON_FINITE'], () => statistics([[bad, bad]], { samples: [[1, 1]] }));
    await expecting(['ERR_SHAPE'], () => statistics([[row(3), row(4)]], { samples: [[1, 1]] }));
    await expecting(['ERR_MEMORY'], () => GradientBuffer.allocate(2 ** 50));
    const moved = row(50_000);
    const call = expecting(['ERR_DETACHED'], () => statistics([[moved, moved]], { samples: [[1, 1]] }));
    structuredClone(moved.buffer, { transfer: [moved.buffer] });
    await call;
  },
  async sampled() {
    const sources = {
      en: shuffled(textLines(lines), 100),
      hi: arraySource(Array.from({ length: 500 }, (_, i) => i)),
      de: arraySource(Array.from({ length: 50 }, (_, i) => i)),
    };
    const mixture = new MixedSource({
      mixer: newMixer({ updateInterval: 1000 }),
      sources,
      seed: below(1000),
    });
    for (let i = 0; i < 5; i++) await mixture.next();
    await mixture.draw('hi', 7);
    await saveState(stateFile, mixture.state());
    await mixture.return();
    mixture.mixer.dispose();
    const restored = MixedSource.restore(await loadState(stateFile), { sources });
    for (let i = 0; i < 5; i++) await restored.next();
    await restored.return();
    restored.mixer.dispose();
  },
  async together() {
    await Promise.all(
      Array.from({ length: 30 }, () =>
        statistics(
          [
            [pick(), pick()],
            [pick(), pick()],
          ],
          {
            samples: [
              [1, 2],
              [3, 4],
            ],
            standardErrors: false,
          },
        ),
      ),
    );
  },
};

async function run() {
  const begun = performance.now();
  const elapsed = () => (performance.now() - begun) / 60_000;
  const names = Object.keys(ACTIONS);
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  // Pools, caches and compiled code have what they keep by then.
  const warm = Math.min(minutes / 3, Math.max(minutes / 10, 0.5));
  let baseline = null;
  let told = -1;
  let rounds = 0;
  while (elapsed() < minutes) {
    const name = names[rounds++ % names.length];
    try {
      await ACTIONS[name]();
    } catch (error) {
      throw new Error(`soak: '${name}' failed in round ${rounds}, seed ${values.seed}`, { cause: error });
    }
    counts[name]++;
    if (!baseline && elapsed() > warm) baseline = await footprint();
    if (elapsed() - told > Math.max(minutes / 12, 0.1)) {
      told = elapsed();
      console.log(`soak: ${told.toFixed(1)} min, ${rounds} rounds: ${describe(await footprint())}`);
    }
  }
  const end = await footprint();
  console.log(
    `soak: ${Object.entries(counts)
      .map(([name, n]) => `${n} ${name}`)
      .join(', ')}`,
  );
  console.log(`soak: after ${warm.toFixed(1)} min: ${describe(baseline)}`);
  console.log(`soak: at the end:    ${describe(end)}`);
  const grown = growth(baseline, end);
  if (grown) throw new Error(`soak: not flat: ${grown}`);
}

try {
  await run();
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}

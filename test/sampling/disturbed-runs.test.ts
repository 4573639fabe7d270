/**
 * Whatever happens on the way — failures that pass, stalls, loops that are left, states that are restored with another
 * appetite for reading ahead — what is handed out is what an undisturbed run hands out.
 */
import { describe, expect, it } from 'vitest';
import {
  MixedSource,
  type MixedSourceState,
  Mixer,
  type Policy,
  type SampleSource,
} from '../../lib/index.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';

const tasks = ['a', 'b', 'c', 'd', 'e'];
const lengths = [13, 40, 171, 88, 5];
const exhausted: Record<string, Policy> = {
  a: { repeat: 4 },
  b: 'drop',
  c: 'repeat',
  d: 'repeat',
  e: { repeat: 30 },
};

/** Reads fail, or take their time, by chance; what they give does not depend on it. */
function sourceOf(k: number, chance: () => number, trouble: number): SampleSource<string> {
  return {
    ...(k % 2 === 0 ? { size: lengths[k] } : {}),
    open(epoch, _seed, position) {
      if (chance() < trouble / 4) throw new Error('cannot be opened');
      let at = (position as number | undefined) ?? 0;
      return {
        async read(count, signal) {
          if (chance() < trouble) throw new Error('cannot be read');
          if (chance() < trouble) await new Promise((resolve) => setImmediate(resolve));
          if (chance() < trouble / 2)
            await new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
          const indices = Array.from({ length: Math.min(count, lengths[k] - at) }, (_, i) => at + i);
          at += indices.length;
          return { samples: indices.map((i) => `${epoch}:${i}`), indices };
        },
        position: () => at,
        close: async () => {
          if (chance() < trouble) throw new Error('cannot be closed');
        },
      };
    },
  };
}

const STEPS = 70;
const options = { tasks, batchSize: 12, updateInterval: 4, zeta1: 1, backend: 'reference' } as const;

/** Takes a step, and tells all that can be seen of it. */
async function step(mixed: MixedSource<string>): Promise<string | null> {
  const { mixer } = mixed;
  if (mixer.due) {
    const random = mulberry32(mixer.step + 1);
    const gradients = tasks.map((_, k) => [0, 1, 2].map(() => drawGradient([k + 1, 1], 1, 2, random)));
    for (const [k, task] of tasks.entries())
      if (mixer.activeTasks.includes(task))
        for (const gradient of gradients[k]) await mixer.observe(task, gradient, { samples: 2 });
    await mixer.update();
  }
  const { value } = await mixed.next();
  if (!value) return null;
  return JSON.stringify([value.step, Array.from(value.counts), Array.from(value.weights), value.tasks]);
}

const sourcesOf = (chance: () => number, trouble: number) =>
  Object.fromEntries(tasks.map((task, k) => [task, sourceOf(k, chance, trouble)]));

describe('a run that is disturbed', () => {
  it('hands out what an undisturbed one does', async () => {
    const quiet = new MixedSource<string>({
      mixer: new Mixer(options),
      sources: sourcesOf(() => 1, 0),
      exhausted,
      prefetch: 0,
    });
    const whole: (string | null)[] = [];
    while (whole.length < STEPS) whole.push(await step(quiet));
    expect(quiet.mixer.activeTasks).toEqual(['c', 'd']);

    const seen = { failed: 0, stalled: 0, left: 0, restored: 0 };
    for (let trial = 0; trial < 25; trial++) {
      const chance = mulberry32(1000 + trial);
      const sources = sourcesOf(chance, 0.06);
      const more = () => ({ prefetch: Math.floor(40 * chance()), timeout: 2 });
      let mixed = new MixedSource<string>({ mixer: new Mixer(options), sources, exhausted, ...more() });
      const trace: (string | null)[] = [];
      for (let tries = 0; trace.length < STEPS; tries++) {
        expect(tries).toBeLessThan(20 * STEPS);
        try {
          trace.push(await step(mixed));
        } catch (error) {
          const { code, message } = error as { code?: string; message: string };
          expect(message).toMatch(/^Source '[a-e]' /);
          seen[code === 'ERR_TIMEOUT' ? 'stalled' : 'failed']++;
        }
        if (chance() < 0.1) {
          seen.left++;
          await mixed.return();
        }
        if (chance() < 0.1) {
          seen.restored++;
          const state = JSON.parse(JSON.stringify(mixed.state())) as MixedSourceState;
          // The old one may read on: nobody asks it any more.
          if (chance() < 0.5) await mixed.return();
          mixed = MixedSource.restore<string>(state, { sources, ...more() });
        }
      }
      await mixed.return();
      expect(trace).toEqual(whole);
    }
    for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(30);
  });
});

/** Mixtures of every kind of source at once: what a resume gives, and what is seen in a pass. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  arraySource,
  indexSpace,
  jsonLines,
  loadState,
  MixedSource,
  type MixedSourceState,
  Mixer,
  type Policy,
  type SourceInput,
  saveState,
  shuffled,
  textLines,
} from '../../lib/index.js';
import { drawGradient, mulberry32 } from '../support/gradients.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pike-kinds-'));
  const text = (i: number) => `Zeile ${i} ${'é'.repeat(i % 37)}`;
  const list = Array.from({ length: 211 }, (_, i) => i);
  writeFileSync(join(folder, 'text'), list.map((i) => `${text(i)}\r\n`).join(''));
  writeFileSync(join(folder, 'json'), list.map((i) => JSON.stringify({ i, text: text(i) })).join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const sizes: Record<string, number> = {
  array: 101,
  ordered: 57,
  space: 1000,
  text: 211,
  json: 211,
  shuffled: 211,
  generator: 83,
  lists: 29,
};
const tasks = Object.keys(sizes);
const sources = (): Record<string, SourceInput<unknown>> => ({
  array: Array.from({ length: 101 }, (_, i) => `x${i}`),
  ordered: arraySource(
    Array.from({ length: 57 }, (_, i) => i),
    { shuffle: false },
  ),
  space: indexSpace(1000),
  text: textLines(join(folder, 'text')),
  json: jsonLines(join(folder, 'json')),
  shuffled: shuffled(textLines(join(folder, 'text')), 40),
  async *generator({ epoch }) {
    for (let i = 0; i < 83; i++) {
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      yield `${epoch}/${i}`;
    }
  },
  lists: ({ epoch }) => Array.from({ length: 29 }, (_, i) => 100 * epoch + i),
});
const mixerFor = () => new Mixer({ tasks, batchSize: 32, updateInterval: 2, backend: 'reference', zeta1: 1 });

async function run(mixed: MixedSource<unknown>, from: number, to: number): Promise<string[]> {
  const { mixer } = mixed;
  const trace: string[] = [];
  for (let t = from; t < to; t++) {
    const drawn: unknown[] = [];
    if (mixer.due) {
      const random = mulberry32(t + 1);
      for (const [k, task] of tasks.entries()) {
        if (!mixer.activeTasks.includes(task)) continue;
        drawn.push(await mixed.draw(task, 3));
        for (let i = 0; i < 3; i++)
          await mixer.observe(task, drawGradient([k, 1], 1, 2, random), { samples: 2 });
      }
      await mixer.update();
    }
    const { value } = await mixed.next();
    trace.push(JSON.stringify([t, drawn, value?.tasks, Array.from(mixer.weights)]));
  }
  return trace;
}

describe.each<[string, Policy | Record<string, Policy>]>([
  ['repeat', 'repeat'],
  ['drop some', { array: 'drop', text: 'drop', generator: { repeat: 2 }, lists: { repeat: 3 } }],
])('every kind of source at once, %s', (_, exhausted) => {
  it('goes on the same from a file, from any step', async () => {
    const make = (prefetch: number) =>
      new MixedSource<unknown>({ mixer: mixerFor(), sources: sources(), exhausted, seed: 9, prefetch });
    const uninterrupted = make(8);
    const whole = await run(uninterrupted, 0, 80);
    await uninterrupted.return();
    const random = mulberry32(4);
    const path = join(folder, 'state.json');
    for (const at of [0, 1, 79, ...Array.from({ length: 12 }, () => Math.floor(80 * random()))]) {
      const first = make(Math.floor(30 * random()));
      await run(first, 0, at);
      await saveState(path, first.state());
      await first.return();
      const second = MixedSource.restore<unknown>((await loadState(path)) as MixedSourceState, {
        sources: sources(),
        prefetch: Math.floor(30 * random()),
      });
      expect(await run(second, at, 80)).toEqual(whole.slice(at));
      await second.return();
    }
    const gone = JSON.parse(whole[79])[3].filter((w: number) => w === 0).length;
    expect(gone).toBe(exhausted === 'repeat' ? 0 : 3);
  });

  it('sees every sample of a pass once', async () => {
    const mixed = new MixedSource<unknown>({ mixer: mixerFor(), sources: sources(), exhausted, seed: 9 });
    const seen = new Map(tasks.map((task) => [task, [] as number[]]));
    for (let t = 0; t < 150; t++) {
      const { value } = await mixed.next();
      for (const task of tasks) seen.get(task)!.push(...(value?.tasks[task].indices ?? []));
    }
    await mixed.return();
    for (const task of tasks) {
      const size = sizes[task];
      const all = seen.get(task)!;
      expect(all.length).toBeGreaterThan(0);
      for (let pass = 0; pass * size < all.length; pass++) {
        const those = all.slice(pass * size, (pass + 1) * size);
        expect(new Set(those).size).toBe(those.length);
      }
    }
  });
});

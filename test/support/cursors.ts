/** Reading sources to their ends, and from every position onwards. */
import { expect } from 'vitest';
import type { Json } from '../../lib/index.js';
import type { Cursor, Drawn, SampleSource } from '../../lib/sampling/source.js';

/** What is left of a pass, `count` samples at a time (a number, or one for each read in turn). */
export async function readAll<T>(cursor: Cursor<T>, count: number | (() => number) = 7): Promise<Drawn<T>> {
  const all: Drawn<T> = { samples: [], indices: [] };
  for (;;) {
    const asked = typeof count === 'number' ? count : count();
    const { samples, indices } = await cursor.read(asked);
    expect(indices.length).toBe(samples.length);
    expect(samples.length).toBeLessThanOrEqual(asked);
    all.samples.push(...samples);
    all.indices.push(...indices);
    if (samples.length < asked) break;
  }
  expect(await cursor.read(1), 'a pass that has ended stays so').toEqual({ samples: [], indices: [] });
  return all;
}

/** The whole pass. */
export async function pass<T>(source: SampleSource<T>, epoch = 0, seed = 1, count = 7): Promise<Drawn<T>> {
  const cursor = source.open(epoch, seed);
  try {
    return await readAll(cursor, count);
  } finally {
    await cursor.close();
  }
}

/** Opens the source anew at every position that reads of `count` lead to; each must go on with what was left. */
export async function expectResumable<T>(
  make: () => SampleSource<T>,
  { epoch = 0, seed = 1, count = 1 } = {},
): Promise<void> {
  const whole = await pass(make(), epoch, seed);
  const cursor = make().open(epoch, seed);
  for (let taken = 0; ; taken += count) {
    const position = JSON.parse(JSON.stringify(cursor.position())) as Json;
    expect(cursor.position(), 'asking for a position moves nothing').toEqual(position);
    const resumed = make().open(epoch, seed, position);
    expect(resumed.position()).toEqual(position);
    const rest = await readAll(resumed, 3);
    await resumed.close();
    expect(rest.samples).toEqual(whole.samples.slice(taken));
    expect(rest.indices).toEqual(whole.indices.slice(taken));
    if ((await cursor.read(count)).samples.length < count) break;
  }
  await cursor.close();
}

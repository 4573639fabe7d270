/** A position belongs to one order; a source that now has another one refuses it, and repeats and loses nothing. */
import { describe, expect, it } from 'vitest';
import {
  arraySource,
  indexSpace,
  type Json,
  MixedSource,
  type SampleSource,
  shuffled,
} from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerFor } from '../support/sources.js';

const items = Array.from({ length: 100 }, (_, i) => i);
const windows = (length: number) => shuffled(indexSpace(100, { shuffle: false }), length);
const inWindows = /windows of 10 samples, but shuffled has windows of 11 now/;
const wasShuffled = /was shuffled, but now it is not/;
const wasNotShuffled = /was not shuffled, but now it is:/;

describe('a position in another order', () => {
  it.each<[string, SampleSource<number>, SampleSource<number>, RegExp]>([
    ['windows of another length', windows(10), windows(11), inWindows],
    ['an array, shuffled', arraySource(items), arraySource(items, { shuffle: false }), wasShuffled],
    ['an array in order', arraySource(items, { shuffle: false }), arraySource(items), wasNotShuffled],
    ['an index space', indexSpace(100), indexSpace(100, { shuffle: false }), wasShuffled],
  ])('%s: it is refused, and the source as it was goes on', async (_, before, now, message) => {
    const cursor = before.open(0, 1);
    await cursor.read(17);
    await expectError('ERR_STATE', message, () => now.open(0, 1, cursor.position()));

    const first = new MixedSource<number>({
      mixer: mixerFor(['a', 'b']),
      sources: { a: before, b: items },
    });
    const seen: number[] = [];
    for (let i = 0; i < 7; i++) seen.push(...(await first.next()).value!.tasks.a.samples);
    const state = JSON.parse(JSON.stringify(first.state()));
    await first.return();
    const other = MixedSource.restore<number>(state, { sources: { a: now, b: items } });
    await expectError('ERR_STATE', message, () => other.next());
    expect(other.state()).toEqual(state);
    const same = MixedSource.restore<number>(other.state(), { sources: { a: before, b: items } });
    while (seen.length < 100) seen.push(...(await same.next()).value!.tasks.a.samples);
    expect(seen.sort((a, b) => a - b)).toEqual(items);
    await same.return();
  });

  it('that does not say which is refused', async () => {
    for (const position of [
      { taken: 1, size: 100 },
      { taken: 1, size: 100, shuffle: 1 },
    ] as Json[])
      await expectError('ERR_STATE', /must say whether it is shuffled/, () =>
        indexSpace(100).open(0, 1, position),
      );
    const cursor = windows(10).open(0, 1);
    const { length: _, ...without } = cursor.position() as Record<string, Json>;
    await expectError('ERR_STATE', /length must be/, () => windows(10).open(0, 1, without));
  });
});

import { createReadStream } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { indexSpace } from '../../lib/index.js';
import { toSource } from '../../lib/sampling/to-source.js';
import { pass } from '../support/cursors.js';
import { expectError } from '../support/expect.js';

async function* three() {
  yield* [1, 2, 3];
}

describe('toSource', () => {
  it('makes sources of arrays, functions, iterables and streams, and takes sources as they are', async () => {
    const source = indexSpace(3);
    expect(toSource('a', source)).toBe(source);
    const array = toSource('a', [1, 2, 3]);
    expect([array.size, array.once]).toEqual([3, undefined]);
    expect((await pass(array)).samples.sort()).toEqual([1, 2, 3]);
    const made = toSource('a', three);
    for (const epoch of [0, 1]) expect((await pass(made, epoch)).samples).toEqual([1, 2, 3]);
    for (const given of [three(), new Set([1, 2, 3]) as never]) {
      const once = toSource<number>('a', given);
      expect(once.once).toBe(true);
      expect((await pass(once)).samples).toEqual([1, 2, 3]);
    }
    // A stream of a file has a method `open`, but is no source.
    const stream = toSource('a', createReadStream(new URL(import.meta.url)));
    expect((await pass(stream)).samples[0]).toBeInstanceOf(Buffer);
  });

  it('takes an object of a class of one’s own for a source', async () => {
    class Twice {
      readonly source = indexSpace(2);
      open(...place: Parameters<typeof this.source.open>) {
        return this.source.open(...place);
      }
    }
    expect((await pass(toSource('a', new Twice()))).samples.sort()).toEqual([0, 1]);
  });

  it.each<[unknown, RegExp]>([
    ['data.jsonl', /textLines\(path\) or jsonLines\(path\)/],
    [new URL('file:///x'), /textLines\(path\)/],
    [new Float32Array(3), /indexSpace\(n\)/],
    [undefined, /but is undefined/],
    [null, /but is null/],
    [3, /but is 3/],
    [{ size: 3 }, /type Object/],
  ])('refuses %s, naming the source', async (given, message) => {
    const error = await expectError('ERR_INVALID_OPTION', message, () => toSource('de', given as never));
    expect(error.message).toMatch(/^Source "de" must be/);
  });
});

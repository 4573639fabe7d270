/** Cursors of a user's own whose `close` is not as it should be: no harm comes of it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MixedSource, type SampleSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerFor, ticks } from '../support/sources.js';

const unhandled: unknown[] = [];
const note = (reason: unknown) => void unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => process.off('unhandledRejection', note));

const closes: [string, () => unknown][] = [
  ['returns nothing', () => undefined],
  [
    'throws at once',
    () => {
      throw new Error('stuck');
    },
  ],
  ['rejects', () => Promise.reject(new Error('stuck'))],
];

/** Passes of three samples; fails at the start of pass `failsIn`. */
function source(close: () => unknown, failsIn: number): SampleSource<string> {
  return {
    open: (epoch, _seed, position) => {
      let at = (position as number | undefined) ?? 0;
      return {
        read: async (count) => {
          if (epoch === failsIn) throw new Error('no table');
          const indices = [0, 1, 2].slice(at, at + count);
          at += indices.length;
          return { samples: indices.map((i) => `${epoch}:${i}`), indices };
        },
        position: () => at,
        close: close as () => Promise<void>,
      };
    },
  };
}

describe.each(closes)('a close that %s', (_, close) => {
  const mixtureOf = (failsIn: number, options: { signal?: AbortSignal } = {}) =>
    new MixedSource<string>({
      mixer: mixerFor(['a', 'b'], { batchSize: 4 }),
      sources: { a: source(close, failsIn), b: ['s'] },
      ...options,
      prefetch: 0,
    });

  it('does not take the place of the error that led to it', async () => {
    await expectError('ERR_SOURCE', /^Source 'a' failed: no table/, () => mixtureOf(0).next());
    await expectError('ERR_SOURCE', /^Source 'a' failed: no table/, () => mixtureOf(0).draw('a', 1));
  });

  it('does not end the passes, nor the loop that is left', async () => {
    const mixed = mixtureOf(Infinity);
    const seen: string[] = [];
    for await (const { tasks } of mixed) {
      seen.push(...tasks.a.samples);
      if (seen.length >= 8) break;
    }
    expect(seen).toEqual(['0:0', '0:1', '0:2', '1:0', '1:1', '1:2', '2:0', '2:1']);
  });

  it('is no unhandled rejection after an abort', async () => {
    const controller = new AbortController();
    const mixed = mixtureOf(Infinity, { signal: controller.signal });
    await mixed.next();
    controller.abort();
    await ticks();
    expect(unhandled).toEqual([]);
  });
});

/** Cursors of a user's own that break their word: what they gave wrongly is read again, none of it is lost. */
import { describe, expect, it } from 'vitest';
import { MixedSource, type SampleSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerFor, ticks } from '../support/sources.js';

/** The numbers 0, 1, …; the read that `spoils` names (from 0, over all cursors) gives two samples too many. */
function counting(spoils: number): SampleSource<number> {
  let reads = 0;
  return {
    open: (_epoch, _seed, position) => {
      let at = (position as number | undefined) ?? 0;
      return {
        read: async (count) => {
          const length = count + (reads++ === spoils ? 2 : 0);
          const indices = Array.from({ length }, (_, i) => at + i);
          at += length;
          return { samples: indices, indices };
        },
        position: () => at,
        close: async () => {},
      };
    },
  };
}

describe('a read that gives more than it was asked for', () => {
  it.each([0, 1, 2])('read %i, ahead or not: it is told, and then the same samples come', async (spoils) => {
    const mixer = mixerFor(['a', 'b'], { batchSize: 4 });
    const mixed = new MixedSource<number>({
      mixer,
      sources: { a: counting(spoils), b: counting(Infinity) },
      prefetch: 7,
    });
    const seen: number[] = [];
    let failures = 0;
    while (seen.length < 30) {
      try {
        seen.push(...(await mixed.next()).value!.tasks.a.samples);
      } catch (error) {
        failures++;
        await expectError('ERR_SOURCE', /^Source 'a' failed: read\(\d+\) returned \d+ samples/, () => {
          throw error;
        });
      }
      await ticks();
    }
    expect(failures).toBe(1);
    expect(seen).toEqual(Array.from(seen.keys()));
    await mixed.return();
  });

  it('while it passes by what had been handed out before a resume', async () => {
    const batch = { batchSize: 4 };
    const first = new MixedSource<number>({
      mixer: mixerFor(['a', 'b'], batch),
      sources: { a: counting(Infinity), b: counting(Infinity) },
      prefetch: 7,
    });
    await first.next();
    const state = first.state();
    await first.return();
    expect(state.sources.a.training.skip).toBe(2);
    const resumed = MixedSource.restore<number>(state, {
      sources: { a: counting(0), b: counting(Infinity) },
      prefetch: 7,
    });
    await expectError('ERR_SOURCE', /read\(2\) returned 4/, () => resumed.next());
    expect((await resumed.next()).value!.tasks.a.samples).toEqual([2, 3]);
    await resumed.return();
  });
});

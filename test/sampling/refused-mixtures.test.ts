/** Options and states that a MixedSource refuses, before anything is read. */
import { describe, it } from 'vitest';
import { MixedSource } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerFor, mixtureOf } from '../support/sources.js';

describe('options that are refused', () => {
  const { mixer, sources } = mixtureOf({ a: {}, b: {} });
  const good = { mixer, sources };
  async function* endless() {
    yield 'x';
  }
  it.each<[string, object, RegExp]>([
    ['no mixer', { sources }, /mixer must be a Mixer/],
    ['a missing source', { mixer, sources: { a: ['x'] } }, /Source "b" must be/],
    [
      'a missing source whose name every object has',
      { mixer: mixerFor(['a', 'toString']), sources: { a: ['x'] } },
      /Source "toString" must be/,
    ],
    ['a policy that is nothing', { ...good, exhausted: { a: null } }, /exhausted\['a'\] must be one of/],
    [
      'a source for no task',
      { mixer, sources: { ...sources, c: ['x'] } },
      /sources names "c", which is no task. The tasks are a, b/,
    ],
    ['a misspelt option', { ...good, exhaust: 'stop' }, /no option "exhaust"/],
    ['a policy that is none', { ...good, exhausted: 'again' }, /exhausted must be one of/],
    ['a policy for no task', { ...good, exhausted: { c: 'stop' } }, /exhausted names "c", which is no task/],
    ['a policy of nonsense', { ...good, exhausted: { a: 3 } }, /exhausted\['a'\] must be one of/],
    ['no passes', { ...good, exhausted: { repeat: 0 } }, /exhausted.repeat must be a positive integer/],
    ['half a pass', { ...good, exhausted: { a: { repeat: 1.5 } } }, /exhausted\['a'\].repeat/],
    [
      'what comes after',
      { ...good, exhausted: { repeat: 2, after: 'repeat' } },
      /exhausted.after must be one of/,
    ],
    ['a negative seed', { ...good, seed: -1 }, /seed must be/],
    ['a negative prefetch', { ...good, prefetch: -1 }, /prefetch must be/],
    ['no time', { ...good, timeout: 0 }, /timeout must be/],
    ['more time than timers have', { ...good, timeout: 2 ** 31 }, /timeout must be/],
    ['a signal that is none', { ...good, signal: 'stop' }, /signal must be an AbortSignal/],
    ['a stream to be repeated', { mixer, sources: { a: endless(), b: ['x'] } }, /'a' is a stream.*only once/],
  ])('%s', async (_, options, message) => {
    await expectError('ERR_INVALID_OPTION', message, () => new MixedSource(options as never));
  });

  it('a draw from what there is only once, of nothing, or of no task', async () => {
    const mixed = new MixedSource<string>({
      mixer,
      sources: { a: endless(), b: ['x'] },
      exhausted: { a: 'drop' },
    });
    await expectError('ERR_INVALID_OPTION', /'a' is a stream/, () => mixed.draw('a', 1));
    await expectError('ERR_INVALID_OPTION', /count must be/, () => mixed.draw('b', 0));
    await expectError('ERR_INVALID_OPTION', /no task "c"/, () => mixed.draw('c', 1));
  });

  it('a state of another version, of other sources, or damaged', async () => {
    const { mixed, sources } = mixtureOf({ a: {}, b: {} });
    await mixed.next();
    const state = mixed.state();
    const restore =
      (change: object, more: object = {}) =>
      () =>
        MixedSource.restore<string>({ ...state, ...change } as never, { sources, ...more });
    await expectError('ERR_STATE', /no state of a MixedSource/, restore({ format: 'x' }));
    await expectError('ERR_STATE', /version 2, but this release reads version 1/, restore({ version: 2 }));
    await expectError('ERR_STATE', /no state of a Mixer/, restore({ mixer: 3 }));
    await expectError('ERR_STATE', /no source for task 'b'/, restore({ sources: { a: state.sources.a } }));
    const damage = (more: object) => ({ sources: { ...state.sources, a: { ...state.sources.a, ...more } } });
    await expectError('ERR_STATE', /training\.epoch/, restore(damage({ training: {} })));
    await expectError(
      'ERR_STATE',
      /measuring\.skip/,
      restore(damage({ measuring: { ...state.sources.a.measuring, skip: -1 } })),
    );
    await expectError('ERR_STATE', /'a' had 999 samples .* 1000/, restore(damage({ size: 999 })));
    await expectError('ERR_STATE', /policy/, restore(damage({ policy: 'x' })));
    await expectError('ERR_INVALID_OPTION', /restore has no option "seed"/, restore({}, { seed: 1 }));
    for (const none of [undefined, null, 3])
      await expectError('ERR_INVALID_OPTION', /restore takes an object of options/, () =>
        MixedSource.restore(state, none as never),
      );
    await expectError('ERR_INVALID_OPTION', /sources must be an object/, () =>
      MixedSource.restore(state, {} as never),
    );
  });

  it('a source that has become shorter than where the state stands', async () => {
    const { mixed } = mixtureOf({ a: { tells: false }, b: { tells: false } }, { prefetch: 0 });
    const state = { ...mixed.state() };
    state.sources.a.training = { epoch: 0, skip: 9, inPass: 9, samples: 9 };
    const { sources } = mixtureOf({ a: { size: 4, tells: false }, b: { tells: false } });
    const again = MixedSource.restore<string>(state, { sources });
    await expectError('ERR_STATE', /'a' failed: the pass ends before .* number 9 of pass 0/, () =>
      again.next(),
    );
  });
});

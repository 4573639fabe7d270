/** What the types let through as a source is what is taken at run time. */
import { expect, expectTypeOf, it } from 'vitest';
import { MixedSource, type SourceInput } from '../../lib/index.js';
import { mixerFor } from '../support/sources.js';

it('takes sync iterables as what they are, one pass', async () => {
  const mixed = new MixedSource({
    mixer: mixerFor(['set', 'generator', 'array'], { batchSize: 6 }),
    sources: {
      set: new Set(['s', 't', 'u']),
      generator: (function* () {
        yield* ['g', 'h', 'i'];
      })(),
      array: ['a'],
    },
    exhausted: { set: 'stop', generator: 'stop' },
  });
  const { value } = await mixed.next();
  expectTypeOf(value!.tasks.set.samples).toEqualTypeOf<string[]>();
  expect(value!.tasks.set.samples).toEqual(['s', 't']);
  expect(value!.tasks.generator.samples).toEqual(['g', 'h']);
  await mixed.return();
});

it('does not take a text, nor samples of another type', () => {
  // Checked by the compiler, in lint.
  expectTypeOf<string>().not.toExtend<SourceInput<string>>();
  expectTypeOf<Set<number>>().not.toExtend<SourceInput<string>>();
  expectTypeOf<Set<string>>().toExtend<SourceInput<string>>();
});

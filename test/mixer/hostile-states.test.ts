/** What test/stress/fuzz-states.mjs found: errors that were none of ours. */
import { expect, it } from 'vitest';
import { type Gradient, MixedSource, Mixer, statistics } from '../../lib/index.js';
import { expectError } from '../support/expect.js';

const mixer = () => new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend: 'reference' });

it('an origin of a state that is no text', async () => {
  const state = mixer().state();
  for (const value of [3, null, [], {}])
    await expectError('ERR_STATE', /origin\.backend/, () =>
      Mixer.restore({ ...state, origin: { ...state.origin, backend: value as never } }),
    );
});

it('overrides that are no object', async () => {
  await expectError('ERR_INVALID_OPTION', /overrides/, () => Mixer.restore(mixer().state(), null as never));
  await expectError('ERR_INVALID_OPTION', /overrides/, () => Mixer.restore(mixer().state(), 3 as never));
});

it('a state of a mixture that cannot be cloned', async () => {
  const sources = { a: [1], b: [2] };
  const state = new MixedSource({ mixer: mixer(), sources }).state();
  await expectError('ERR_STATE', /plain JSON/, () =>
    MixedSource.restore({ ...state, more: () => {} } as never, { sources }),
  );
});

it('losses with holes', async () => {
  const row = Float32Array.of(1, 2);
  const rows = [
    [row, row],
    [row, row],
  ];
  const samples = [
    [1, 1],
    [1, 1],
  ];
  await expectError('ERR_SHAPE', /losses/, () => mixer().measure(rows, { samples, losses: new Array(2) }));
});

it('an array without a prototype is no gradient', async () => {
  const bare = Object.setPrototypeOf(Float32Array.of(1), null) as Gradient;
  await expectError('ERR_DTYPE', /rows\[0\]\[0\]/, () => statistics([[bare, bare]], { samples: [[1, 1]] }));
});

it('what cannot be looked at can still be refused', async () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const error = await expectError(
    'ERR_INVALID_OPTION',
    /cannot be looked at/,
    () => new Mixer({ tasks: ['a', 'b'], batchSize: proxy as never }),
  );
  expect(error.message).toContain('batchSize');
});

/** A GPU that fails for good. It stays lost to the process, so this file has one to itself. */
import { beforeAll, expect, it } from 'vitest';
import { Mixer, statistics } from '../../lib/index.js';
import { type EmulatedGpus, emulatedGpus } from '../support/emulated.js';
import { expectError } from '../support/expect.js';
import { row, samples } from '../support/small.js';

let gpus: EmulatedGpus;
beforeAll(async () => {
  gpus = await emulatedGpus();
}, 240_000);

it('is an error for good, changes nothing, and leaves the process and all else alive', async () => {
  const rows = (device: number) =>
    [1, 2].map((x) => [gpus.put(row(x), { device }), gpus.put(row(x + 1), { device })]);
  const there = rows(0);
  const other = rows(1);
  const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8 });
  await mixer.measure(there, { samples });
  mixer.next();
  const before = mixer.state();

  gpus.emulator.failNext('Kernel', 700);
  const first = await expectError('ERR_CUDA_FATAL', /cudaErrorIllegalAddress \(700\)/, () =>
    mixer.measure(there, { samples }),
  );
  const again: (() => Promise<unknown>)[] = [
    () => mixer.measure(there, { samples }),
    () => mixer.observe('a', there[0][0], { samples: 1 }),
    () => statistics(there, { samples }),
    () => statistics([[row(1), row(2)]], { samples: [[1, 1]], backend: 'cuda' }),
  ];
  for (const call of again) {
    const error = await expectError('ERR_CUDA_FATAL', /new process/, call);
    expect(error.message).toBe(first.message);
  }
  expect(mixer.state()).toEqual(before);
  mixer.next();
  mixer.dispose();

  // The other GPU and the CPU go on.
  expect((await statistics(other, { samples })).normSquared).toHaveLength(2);
  expect((await statistics([[row(1), row(2)]], { samples: [[1, 1]] })).normSquared[0]).toBe(2);
});

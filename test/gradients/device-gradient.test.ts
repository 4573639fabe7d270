import { describe, expect, it } from 'vitest';
import type { DeviceTensor } from '../../lib/gradients/device-gradient.js';
import { viewGradient } from '../../lib/gradients/gradient.js';
import { type Gradient, Mixer, statistics } from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { row } from '../support/small.js';

const good: DeviceTensor = { pointer: 0x1000n, length: 3, dtype: 'float32' };

describe('a gradient in the memory of a GPU', () => {
  it('is described without being read, with its defaults', () => {
    expect(viewGradient(good, 'g')).toEqual({
      memory: 'device',
      device: 0,
      dtypes: ['float32'],
      lengths: [3],
      length: 3,
      pointers: [0x1000n],
      streams: [0n],
      owners: [],
    });
  });

  it('may be a list, whose streams and owners are named once', () => {
    const owner = {};
    const list: DeviceTensor[] = [
      { ...good, device: 1, stream: 7n, owner },
      { pointer: 0xfffffffffffffffen, length: 1, dtype: 'bfloat16', device: 1, stream: 9n },
      { pointer: 0n, length: 0, dtype: 'float16', device: 1, stream: 7n, owner },
      // cudaStreamLegacy is the default stream by another name.
      { ...good, device: 1, stream: 1n },
      { ...good, device: 1, stream: 0n, owner: null },
    ];
    expect(viewGradient(list, 'g')).toMatchObject({
      device: 1,
      dtypes: ['float32', 'bfloat16', 'float16', 'float32', 'float32'],
      lengths: [3, 1, 0, 3, 3],
      length: 10,
      pointers: [0x1000n, 0xfffffffffffffffen, 0n, 0x1000n, 0x1000n],
      streams: [7n, 9n, 0n],
      owners: [owner, null],
    });
  });

  it('takes the address of an empty tensor for none, whatever it is', () => {
    expect(viewGradient([good, { pointer: 3n, length: 0, dtype: 'float32' }], 'g')).toMatchObject({
      pointers: [0x1000n, 0n],
    });
  });

  const wrong: [string, string, RegExp, object][] = [
    ['a number as a pointer', 'ERR_INVALID_OPTION', /g\.pointer .* bigint, but is 4096/, { pointer: 4096 }],
    ['a negative pointer', 'ERR_INVALID_OPTION', /g\.pointer .* 64 bits/, { pointer: -4n }],
    ['a pointer beyond 64 bits', 'ERR_INVALID_OPTION', /g\.pointer .* 64 bits/, { pointer: 2n ** 64n }],
    ['a null pointer', 'ERR_INVALID_OPTION', /pointer is 0n, but the tensor has 3 elements/, { pointer: 0n }],
    ['a misaligned pointer', 'ERR_INVALID_OPTION', /multiple of 4, .* 0x1002/, { pointer: 0x1002n }],
    [
      'a misaligned pointer to 16-bit floats',
      'ERR_INVALID_OPTION',
      /multiple of 2, .* 0x1001/,
      { pointer: 0x1001n, dtype: 'float16' },
    ],
    ['an end beyond 64 bits', 'ERR_INVALID_OPTION', /beyond the last address/, { pointer: 2n ** 64n - 8n }],
    ['a negative length', 'ERR_INVALID_OPTION', /g\.length/, { length: -1 }],
    ['a broken length', 'ERR_INVALID_OPTION', /g\.length/, { length: 1.5 }],
    ['a bigint as a length', 'ERR_INVALID_OPTION', /g\.length/, { length: 3n }],
    ['no length', 'ERR_INVALID_OPTION', /g\.length/, { length: undefined }],
    ['no elements', 'ERR_SHAPE', /no elements/, { length: 0 }],
    ['float64', 'ERR_DTYPE', /"float64"; .* 'float32', 'bfloat16' or 'float16'/, { dtype: 'float64' }],
    ['no dtype', 'ERR_DTYPE', /g\.dtype is undefined/, { dtype: undefined }],
    ['a dtype of the prototype', 'ERR_DTYPE', /g\.dtype/, { dtype: 'toString' }],
    ['a negative device', 'ERR_INVALID_OPTION', /g\.device/, { device: -1 }],
    ['a device by name', 'ERR_INVALID_OPTION', /g\.device/, { device: 'cuda:0' }],
    ['a number as a stream', 'ERR_INVALID_OPTION', /g\.stream .* bigint, but is 0/, { stream: 0 }],
    ['a stream beyond 64 bits', 'ERR_INVALID_OPTION', /g\.stream/, { stream: 2n ** 64n }],
    ['the stream per thread', 'ERR_INVALID_OPTION', /cudaStreamPerThread.* every thread/, { stream: 2n }],
    ['a misspelt property', 'ERR_INVALID_OPTION', /no option "dtyp"/, { dtyp: 'float32' }],
  ];
  it.each(wrong)('refuses %s', async (_, code, message, change) => {
    await expectError(code as 'ERR_SHAPE', message, () => viewGradient({ ...good, ...change }, 'g'));
  });

  it('lies on one GPU, and in one memory', async () => {
    await expectError('ERR_DTYPE', /g\[1\] lies on GPU 1 where g\[0\] lies on GPU 0/, () =>
      viewGradient([good, { ...good, device: 1 }], 'g'),
    );
    await expectError('ERR_DTYPE', /g\[1\] is a tensor in the memory of a GPU, and g\[0\] is none/, () =>
      viewGradient([row(1), good], 'g'),
    );
    await expectError('ERR_DTYPE', /g\[0\] is a tensor in the memory of a GPU, and g\[1\] is none/, () =>
      viewGradient([good, row(1)], 'g'),
    );
  });
});

describe('gradients of a GPU', () => {
  const samples = [
    [1, 1],
    [1, 1],
  ];
  const rows = [
    [good, good],
    [good, good],
  ];

  it.each(['cpu', 'reference'] as const)('are refused by %s, which says what takes them', async (backend) => {
    const message = new RegExp(`memory of GPU 0, which backend '${backend}' does not read; use .*'auto'`);
    await expectError('ERR_DTYPE', message, () => statistics(rows, { samples, backend }));
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, backend });
    const before = mixer.state();
    await expectError('ERR_DTYPE', message, () => mixer.observe('a', good, { samples: 1 }));
    await expectError('ERR_DTYPE', message, () => mixer.measure(rows, { samples }));
    expect(mixer.state()).toEqual(before);
    // Nothing of it is left in the way of others.
    await mixer.observe('a', row(1), { samples: 1 });
  });

  const mixed: [string, RegExp, Gradient[][], Gradient | undefined][] = [
    [
      'rows in host memory',
      /rows\[1\]\[0\] lies in host memory where rows\[0\]\[0\]/,
      [[good], [row(1, 2, 3)]],
      undefined,
    ],
    [
      'rows on another GPU',
      /rows\[0\]\[1\] lies in the memory of GPU 1/,
      [[good, { ...good, device: 1 }]],
      undefined,
    ],
    ['a metric in host memory', /preconditioner lies in host memory/, [[good, good]], row(1, 1, 1)],
    ['a metric of a GPU for rows of the host', /preconditioner lies in the memory/, [[row(1, 2, 3)]], good],
  ];
  it.each(mixed)('are not measured together with %s', async (_, message, rows, preconditioner) => {
    const options = {
      samples: rows.map((task) => task.map(() => 1)),
      ...(preconditioner && { preconditioner }),
    };
    await expectError('ERR_DTYPE', message, () => statistics(rows, options));
  });
});

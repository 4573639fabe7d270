import * as tf from '@tensorflow/tfjs';
import { beforeAll, expect, it } from 'vitest';
import { startWasm } from '../../examples/mixed-text/wasm-matmul.js';
import { elementsOf } from '../../lib/adapters/tfjs/memory.js';

beforeAll(startWasm);

it('reads a tensor in the heap of the wasm backend, without a copy', async () => {
  const { wasm } = tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } };
  const first = tf.tensor1d([1, 2, 3]);
  const second = tf.mul(first, 2);
  const elements = await elementsOf(tf, second);
  expect(Array.from(elements)).toEqual([2, 4, 6]);
  expect(elements.buffer).toBe(wasm.HEAPU8.buffer);
  tf.dispose([first, second]);
});

it('reads after the heap has grown', async () => {
  const small = tf.tensor1d([5, 6]);
  const { wasm } = tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } };
  const before = wasm.HEAPU8.buffer.byteLength;
  const large = tf.zeros([before / 4]);
  expect(wasm.HEAPU8.buffer.byteLength).toBeGreaterThan(before);
  expect(Array.from(await elementsOf(tf, small))).toEqual([5, 6]);
  tf.dispose([small, large]);
});

it.each([
  ['of another type', { wasm: { HEAPU8: new Uint8Array(64) }, dtype: 'int32', memoryOffset: 0 }],
  ['that it cannot place', { wasm: { HEAPU8: new Uint8Array(64) }, dtype: 'float32', memoryOffset: null }],
  ['beyond the heap', { wasm: { HEAPU8: new Uint8Array(64) }, dtype: 'float32', memoryOffset: 60 }],
  ['without a heap', { wasm: {}, dtype: 'float32', memoryOffset: 0 }],
])('takes a copy of a tensor %s', async (_, { wasm, dtype, memoryOffset }) => {
  const copy = Float32Array.of(7, 8);
  const strange = {
    getBackend: () => 'wasm',
    backend: () => ({ wasm, dataIdMap: { get: () => ({ dtype, memoryOffset }) } }),
  } as unknown as typeof tf;
  const tensor = { dataId: {}, size: 2, data: async () => copy } as unknown as tf.Tensor;
  expect(await elementsOf(strange, tensor)).toBe(copy);
});

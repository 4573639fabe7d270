/** Elements of tensors, in memory of the host, without a copy where the backend of TensorFlow.js allows it. */
import type * as tfjs from '@tensorflow/tfjs';
import type { Tf } from './tensors.js';

/** What of the wasm backend is used: both are in its published types. */
interface WasmBackend {
  readonly wasm?: { readonly HEAPU8?: Uint8Array };
  readonly dataIdMap?: { get(dataId: object): { readonly memoryOffset?: unknown; readonly dtype?: string } };
}

/**
 * The elements of a float32 tensor. On the cpu and wasm backends they are those of the tensor itself: to be read
 * before anything else is computed, and never written. Elsewhere they are a copy.
 */
export async function elementsOf(tf: Tf, tensor: tfjs.Tensor): Promise<Float32Array> {
  return (tf.getBackend() === 'wasm' ? inHeap(tf, tensor) : null) ?? (await tensor.data<'float32'>());
}

/** `tensor.data()` of the wasm backend copies out of its heap; null where that heap is not as it is known. */
function inHeap(tf: Tf, tensor: tfjs.Tensor): Float32Array | null {
  const { wasm, dataIdMap } = tf.backend() as unknown as WasmBackend;
  const heap = wasm?.HEAPU8;
  if (!(heap instanceof Uint8Array) || typeof dataIdMap?.get !== 'function') return null;
  const { memoryOffset, dtype } = dataIdMap.get(tensor.dataId);
  if (typeof memoryOffset !== 'number' || dtype !== 'float32' || memoryOffset % 4 !== 0) return null;
  if (memoryOffset + 4 * tensor.size > heap.length) return null;
  return new Float32Array(heap.buffer, heap.byteOffset + memoryOffset, tensor.size);
}

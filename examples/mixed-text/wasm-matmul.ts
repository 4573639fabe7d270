import { createRequire } from 'node:module';
import { dirname, sep } from 'node:path';
import type { KernelBackend, KernelConfig, TensorInfo } from '@tensorflow/tfjs';
import * as tf from '@tensorflow/tfjs';
import { setThreadsCount, setWasmPaths } from '@tensorflow/tfjs-backend-wasm';

/**
 * Starts TensorFlow.js on its WebAssembly backend: one thread, binaries from the installed package, and
 * nothing printed (the "looks like you are running in Node" banner belongs to the cpu backend, which is never
 * woken because the backend is chosen before the first tensor exists).
 */
export async function startWasm(): Promise<void> {
  const packageMain = createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm');
  setWasmPaths(dirname(packageMain) + sep);
  setThreadsCount(1);
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = new Set<unknown>(events.flatMap((event) => process.listeners(event as never)));
  if (!(await tf.setBackend('wasm')))
    throw new Error('the WebAssembly backend of TensorFlow.js did not start');
  await tf.ready();
  // Emscripten installs handlers that rethrow: they would turn Node's own report of an error, and its exit
  // code 1, into a dump of the minified backend and a 7.
  for (const event of events)
    for (const listener of process.listeners(event as never) as ((...args: unknown[]) => void)[])
      if (!before.has(listener)) process.removeListener(event, listener);
  mendTransposedMatMul();
}

let mended = false;

/**
 * The wasm BatchMatMul kernel leaves the fast (XNNPACK) path as soon as either side is to be read transposed,
 * which is what both gradients of every matrix product ask for. Writing the transpose out first and multiplying
 * plainly gives the same numbers to rounding, 7 to 13 times faster: the four such products of this demo's model
 * went from 4.0–6.4 ms to 0.3–0.8 ms at 96 samples, and a whole training step from 24.5 to 5.6 ms (each the
 * lowest tenth of 41 or more timings in one process, the stock kernel first; 2-core x64, Node 20, tfjs 4.22).
 */
export function mendTransposedMatMul(): void {
  if (mended) return;
  mended = true;
  const original = tf.getKernel('BatchMatMul', 'wasm');
  const transpose = tf.getKernel('Transpose', 'wasm').kernelFunc;
  const mendedKernel: KernelConfig = {
    ...original,
    kernelFunc: ({ inputs, backend, attrs }) => {
      const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
      const written: TensorInfo[] = [];
      const plain = (x: TensorInfo, transposed: boolean): TensorInfo => {
        if (!transposed) return x;
        const perm = x.shape.map((_, axis) => axis);
        perm.push(...perm.splice(-2).reverse());
        const result = transpose({ inputs: { x }, backend, attrs: { perm } }) as TensorInfo;
        written.push(result);
        return result;
      };
      const a = plain(inputs.a as TensorInfo, transposeA);
      const b = plain(inputs.b as TensorInfo, transposeB);
      const product = original.kernelFunc({
        inputs: { a, b },
        backend,
        attrs: { transposeA: false, transposeB: false },
      });
      // A kernel's intermediate results are no tensors of the engine: they are given back to the backend here.
      for (const { dataId } of written) (backend as KernelBackend).disposeData(dataId);
      return product;
    },
  };
  tf.unregisterKernel('BatchMatMul', 'wasm');
  tf.registerKernel(mendedKernel);
}

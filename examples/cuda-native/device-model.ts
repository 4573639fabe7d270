import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { DeviceGradient } from 'pike-mixer';
import { type Model, parameters } from './model.js';
import { classes, type DataSet, width } from './sources.js';

/** `Classifier` of native/addon.cpp. */
interface NativeClassifier {
  /** A cudaStream_t. */
  readonly stream: bigint;
  gradient(row: number, samples: Uint32Array): bigint;
  step(row: number, learningRate: number): void;
  readLosses(rows: number): Float32Array;
  readGradient(row: number): Float32Array;
  dispose(): void;
}

interface NativeAddon {
  readonly Classifier: new (options: object) => NativeClassifier;
}

/** The addon that build.mjs has built, or null. `CUDA_NATIVE_ADDON` names another file. */
export function loadAddon(): NativeAddon | null {
  const built = new URL('../../examples/cuda-native/build/cuda_native.node', import.meta.url);
  const file = process.env.CUDA_NATIVE_ADDON || fileURLToPath(built);
  return existsSync(file) ? createRequire(import.meta.url)(file) : null;
}

/** The classifier on a GPU. Its gradients are handed on as addresses; nothing is copied. */
export class DeviceModel implements Model {
  private readonly native: NativeClassifier;

  /** @param batch most samples of one gradient */
  constructor(addon: NativeAddon, data: DataSet, rows: number, batch: number) {
    const { features, labels } = data;
    this.native = new addon.Classifier({ features, labels, width, classes, rows, batch });
  }

  /**
   * The work is only queued when this returns. The mixer reads the gradient once `stream` has come so far, and holds
   * `owner`, so that the memory stays until then; it must not be written to before the mixer's promise has settled.
   */
  gradient(row: number, samples: Uint32Array): DeviceGradient {
    const pointer = this.native.gradient(row, samples);
    return { pointer, length: parameters, dtype: 'float32', stream: this.native.stream, owner: this.native };
  }

  losses(rows: number): Float32Array {
    return this.native.readLosses(rows);
  }

  step(row: number, learningRate: number): void {
    this.native.step(row, learningRate);
  }

  read(row: number): Float32Array {
    return this.native.readGradient(row);
  }

  /** Frees the memory. No measurement may be under way. */
  dispose(): void {
    this.native.dispose();
  }
}

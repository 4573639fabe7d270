/**
 * The library on emulated GPUs: two devices of the emulator, and gradients in their memory. The addon is named by
 * PIKE_MIXER_ADDON, so this must come before anything loads one.
 */
import { vi } from 'vitest';
import type { DeviceDtype, DeviceTensor } from '../../lib/gradients/device-gradient.js';
import type { GradientView } from '../../lib/gradients/gradient.js';
import { viewGradient } from '../../lib/gradients/gradient.js';
import type { TensorMemory } from '../../lib/gradients/host-gradient.js';
import type { HostGradient } from '../../lib/index.js';
import { compileEmulatedAddon, type EmulatorHooks, emulatorOf } from '../native/emulated-addon.js';

export const DEVICES = [
  { name: 'Emulated GPU', computeCapability: '9.0' },
  { name: 'Second emulated GPU', computeCapability: '8.6' },
];

export async function emulatedGpus(): Promise<EmulatedGpus> {
  const path = await compileEmulatedAddon();
  vi.stubEnv('PIKE_MIXER_ADDON', path);
  const emulator = emulatorOf(path);
  emulator.configure({ devices: DEVICES });
  return new EmulatedGpus(emulator);
}

export interface Placement {
  readonly device?: number;
  readonly stream?: bigint;
  readonly owner?: unknown;
  /** Elements between the beginning of an allocation and the tensor. */
  readonly offset?: number;
}

/** Gradients in the memory of emulated GPUs. */
export class EmulatedGpus {
  readonly #allocations: bigint[] = [];

  constructor(readonly emulator: EmulatorHooks) {}

  /** A copy of a gradient of the host. */
  put(gradient: HostGradient, placement: Placement = {}): DeviceTensor[] {
    const view = viewGradient(gradient, 'g');
    if (view.memory !== 'host') throw new Error('expected a gradient in host memory');
    return view.tensors.map((memory, t) => this.#tensor(memory, view.dtypes[t] as DeviceDtype, placement));
  }

  /** The same of a checked one. */
  putView(view: GradientView, placement: Placement = {}): GradientView {
    if (view.memory !== 'host') throw new Error('expected a gradient in host memory');
    const tensors = view.tensors.map((memory, t) =>
      this.#tensor(memory, view.dtypes[t] as DeviceDtype, placement),
    );
    return viewGradient(tensors, 'g');
  }

  /** Memory of each device; no number for as much as there is at the beginning. */
  limitMemory(bytes?: number): void {
    this.emulator.configure({ devices: DEVICES, ...(bytes === undefined ? {} : { deviceMemory: bytes }) });
  }

  freeAll(): void {
    for (const address of this.#allocations.splice(0)) this.emulator.free(address);
  }

  #tensor(memory: TensorMemory, dtype: DeviceDtype, { offset = 0, ...placement }: Placement): DeviceTensor {
    const skipped = offset * memory.BYTES_PER_ELEMENT;
    const address = this.emulator.allocate('device', placement.device ?? 0, skipped + memory.byteLength || 1);
    this.#allocations.push(address);
    const pointer = address + BigInt(skipped);
    const bytes = new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
    if (bytes.length > 0) this.emulator.poke(pointer, bytes);
    return { pointer, length: memory.length, dtype, ...placement };
  }
}

/** A GPU as the bench uses it: memory, gradients in it, and the ways to measure them. */

import type { Backend, MomentsRequest } from '../../dist/backends/backend.js';
import { createCudaBackend } from '../../dist/backends/cuda.js';
import { cudaStatus } from '../../dist/backends/cuda-status.js';
import { loadAddon, type NativeAddon, type NativeStatus } from '../../dist/backends/load-addon.js';
import type { DeviceGradient, DeviceTensor } from '../../dist/gradients/device-gradient.js';
import { type GradientView, viewGradient } from '../../dist/gradients/gradient.js';
import type { Moments } from '../../dist/statistics/statistics.js';
import {
  type DeviceDtype,
  ELEMENT_BYTES,
  type Inputs,
  type Memory,
  type Problem,
} from '../../dist/verification/inputs.js';
import { RefusedError } from '../part-process.js';

/** There is no GPU to use; the message says why. */
export class NoGpuError extends RefusedError {}

/** Room beyond the largest shift, so that a row can begin on any element. */
const MARGIN_BYTES = 256;

export class Gpu {
  readonly number = 0;
  readonly name: string;
  readonly addon: NativeAddon;
  readonly backend: Backend;
  private readonly allocated = new Set<bigint>();

  /** The first GPU. @throws NoGpuError */
  constructor() {
    const status = cudaStatus();
    const { addon } = loadAddon();
    if (!status.usable || !addon) throw new NoGpuError(status.reason);
    this.addon = addon;
    this.name = status.devices[this.number].name;
    this.backend = createCudaBackend(addon, status, this.number, 'asked for by the bench');
  }

  /** Memory that `release` or the end of the process gives back. @throws Error with the reason */
  allocate(bytes: number): bigint {
    const address = this.tryAllocate(bytes);
    if (typeof address !== 'bigint') throw toError(address);
    return address;
  }

  tryAllocate(bytes: number): bigint | NativeStatus {
    const address = this.addon.deviceTools.allocate(this.number, bytes);
    if (typeof address === 'bigint') this.allocated.add(address);
    return address;
  }

  /** Between addresses, or an address and an array; waits. The time it took on the GPU, in milliseconds. */
  copy(to: bigint | NodeJS.TypedArray, from: bigint | NodeJS.TypedArray, bytes: number): number {
    const milliseconds = this.addon.deviceTools.copy(this.number, to, from, bytes);
    if (typeof milliseconds !== 'number') throw toError(milliseconds);
    return milliseconds;
  }

  /** Gives back all memory that was allocated here. */
  release(): void {
    for (const address of this.allocated) {
      const failed = this.addon.deviceTools.free(this.number, address);
      if (failed) throw toError(failed);
    }
    this.allocated.clear();
  }

  /** Tensors of one row, `shift` elements out of alignment. */
  upload(tensors: readonly Memory[], dtypes: readonly DeviceDtype[], shift: number): DeviceGradient {
    return tensors.map((data, t): DeviceTensor => {
      const dtype = dtypes[t % dtypes.length];
      if (data.length === 0) return { pointer: 0n, length: 0, dtype };
      const pointer = this.allocate(data.byteLength + MARGIN_BYTES) + BigInt(shift * ELEMENT_BYTES[dtype]);
      this.copy(pointer, data, data.byteLength);
      return { pointer, length: data.length, dtype };
    });
  }

  /** A problem in device memory, as the backend takes it. */
  request(problem: Problem, inputs: Inputs): MomentsRequest {
    const { dtype, metric, shift, inner } = problem;
    let row = 0;
    const rows = inputs.rows.map((task) =>
      task.map((tensors) => viewGradient(this.upload(tensors, [dtype], (row++ * shift) % 8), 'row')),
    );
    const preconditioner =
      metric &&
      inputs.metric &&
      viewGradient(this.upload(inputs.metric, metric, shift % 8), 'preconditioner');
    return { rows, samples: inputs.samples, preconditioner, inner, rowScalars: hasRowScalars(problem) };
  }

  /** All rows at once, or one after the other as the problem says. */
  measure({ streamed }: Problem, request: MomentsRequest): Promise<Moments> {
    return streamed ? this.stream(request) : this.backend.moments(request);
  }

  private async stream({ rows, samples, preconditioner, inner }: MomentsRequest): Promise<Moments> {
    const layout = rows.flat()[0] as GradientView;
    const stream = this.backend.stream({ tasks: rows.length, layout, inner });
    try {
      for (let k = 0; k < rows.length; k++)
        for (let i = 0; i < rows[k].length; i++)
          await stream.add(k, rows[k][i], samples[k][i], preconditioner);
      return await stream.moments();
    } finally {
      stream.dispose();
    }
  }
}

/** Rows beyond which a measurement is read row after row, and gives no scalars per row. */
const MOST_ROWS_AT_ONCE = 128;

export function hasRowScalars({ rowsPerTask, inner, streamed }: Problem): boolean {
  const together = inner ? rowsPerTask.reduce((a, b) => a + b, 0) : Math.max(...rowsPerTask);
  return !streamed && together <= MOST_ROWS_AT_ONCE;
}

export function toError({ code, message }: NativeStatus): Error {
  return new Error(`${code}: ${message}`);
}

/** Rows in device memory for timing, and the calls that are timed. */
import type { NativeDeviceMomentsRequest, NativeWeightUpdate } from '../../dist/backends/load-addon.js';
import { dtypeNumbers, isStatus } from '../../dist/backends/native-call.js';
import { encodeWeightUpdate } from '../../dist/backends/weight-update.js';
import { LossAverage } from '../../dist/mixer/measurement.js';
import { resolveOptions } from '../../dist/mixer/options.js';
import { describeUpdate } from '../../dist/mixer/solving.js';
import { encodeLogWeights, initialLogWeights } from '../../dist/rules/rule.js';
import { initSmoothing } from '../../dist/statistics/smoothing.js';
import type { Size } from '../../dist/throughput/size.js';
import { type DeviceDtype, drawInputs, ELEMENT_BYTES, problem } from '../../dist/verification/inputs.js';
import { type Gpu, toError } from './device.js';

/** What is uploaded; the rest is filled from it within the GPU. */
const BLOCK_BYTES: Readonly<Record<Size, number>> = { full: 64e6, quick: 64e6, tiny: 4096 };
/** Not a divisor of any row: so no two rows are the same. */
const OFFSET_BYTES = 4096 - 256;

/** One piece of device memory full of random numbers, from which rows of any shape are cut. */
export class Slab {
  readonly address: bigint;
  readonly bytes: number;
  private readonly gpu: Gpu;
  private readonly block: number;

  /** As large as it can be: `bytes`, or half of that, or a quarter … */
  constructor(gpu: Gpu, bytes: number, size: Size) {
    this.gpu = gpu;
    this.block = BLOCK_BYTES[size];
    let address = gpu.tryAllocate(bytes);
    while (typeof address !== 'bigint') {
      if (address.code !== 'ERR_MEMORY' || bytes < 2 * this.block) throw toError(address);
      bytes = Math.floor(bytes / 2 / 256) * 256;
      address = gpu.tryAllocate(bytes);
    }
    this.address = address;
    this.bytes = bytes;
  }

  /** Random numbers of a dtype everywhere. */
  fill(dtype: DeviceDtype): void {
    const bytes = Math.min(this.block, this.bytes);
    const given = problem({ dtype, lengths: [bytes / ELEMENT_BYTES[dtype]], rowsPerTask: [1] });
    this.gpu.copy(this.address, drawInputs(given).rows[0][0][0], bytes);
    const step = Math.max(bytes - OFFSET_BYTES, 256);
    for (let at = bytes, turn = 0; at < this.bytes; turn++) {
      // From another place each time, so that blocks differ.
      const from = (turn * 256) % Math.max(256, bytes - step + 1);
      const count = Math.min(step, this.bytes - at);
      this.gpu.copy(this.address + BigInt(at), this.address + BigInt(from), count);
      at += count;
    }
  }

  /** How long it takes to copy one half to the other, in milliseconds; `copied` bytes. */
  timeCopy(): number {
    return this.gpu.copy(this.address + BigInt(this.copied), this.address, this.copied);
  }

  get copied(): number {
    return Math.floor(this.bytes / 2 / 256) * 256;
  }
}

export interface TimedShape {
  readonly dtype: DeviceDtype;
  /** K tasks of m micro-batches. */
  readonly tasks: number;
  readonly rows: number;
  /** Elements of a row. */
  readonly d: number;
  readonly inner: boolean;
  /** Solve for the next weights, too. */
  readonly solve: boolean;
}

/** Elements of `rows` rows that fill so many bytes, in whole chunks of the kernels where there are any. */
export function longestRow(bytes: number, rows: number, dtype: DeviceDtype): number {
  const most = Math.floor(bytes / rows / ELEMENT_BYTES[dtype]);
  return most < 8192 ? most - (most % 8) : most - (most % 8192);
}

export interface TimedCall {
  /** On the GPU, from the first copy of arguments to the last of results. */
  readonly milliseconds: number;
  /** From the call to its promise. */
  readonly wall: number;
}

/** A call of the addon that measures rows of the slab. */
export function timedCall(gpu: Gpu, slab: Slab, shape: TimedShape): () => Promise<TimedCall> {
  const request = nativeRequest(gpu.number, slab, shape);
  return async () => {
    const started = performance.now();
    const result = await gpu.addon.deviceMoments(request, null);
    const wall = performance.now() - started;
    if (isStatus(result)) throw toError(result);
    return { milliseconds: result.milliseconds, wall };
  };
}

function nativeRequest(device: number, slab: Slab, shape: TimedShape): NativeDeviceMomentsRequest {
  const { dtype, tasks, rows, d, inner, solve } = shape;
  return {
    device,
    dtypes: dtypeNumbers([dtype]),
    lengths: Float64Array.of(d),
    rowsPerTask: new Int32Array(tasks).fill(rows / tasks),
    samples: new Float64Array(rows).fill(4),
    pointers: rowPointers(slab, shape),
    tensors: null,
    streams: BigUint64Array.of(0n),
    owners: [],
    preconditioner: null,
    inner,
    rowScalars: false,
    update: solve ? weightUpdate(tasks) : null,
  };
}

export function rowPointers(slab: Slab, { rows, d, dtype }: TimedShape): BigUint64Array {
  return BigUint64Array.from(
    { length: rows },
    (_, row) => slab.address + BigInt(row * d * ELEMENT_BYTES[dtype]),
  );
}

/** That of a new mixer of `tasks` tasks. */
function weightUpdate(tasks: number): NativeWeightUpdate {
  const names = Array.from({ length: tasks }, (_, k) => `task ${k}`);
  const options = resolveOptions({ tasks: names, batchSize: 64 * tasks });
  const input = {
    options,
    step: 0,
    passedOver: 0,
    rule: { logWeights: encodeLogWeights(initialLogWeights(options)) },
    smoothing: initSmoothing(tasks, false),
    lossWeights: new Float64Array(tasks).fill(1),
  };
  return encodeWeightUpdate(describeUpdate('pike', input, new LossAverage(tasks), undefined));
}

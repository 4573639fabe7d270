/**
 * The CUDA backend: one GPU behind the `Backend` interface. Gradients in its memory are read in place; those in host
 * memory are copied over first.
 */
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import type { Moments } from '../statistics/statistics.js';
import { throwIfAborted } from '../validate.js';
import type {
  Backend,
  MomentStream,
  MomentStreamRequest,
  MomentsRequest,
  SolvedWeights,
  WeightUpdate,
} from './backend.js';
import { CallOrder } from './call-order.js';
import type { CudaStatus } from './cuda-status.js';
import type {
  NativeAddon,
  NativeCudaDevice,
  NativeDeviceMomentStream,
  NativeDevicePreconditioner,
  NativeDeviceRows,
  NativeDeviceSource,
} from './load-addon.js';
import { assertAllReadable, dtypeNumbers, settle } from './native-call.js';
import { decodeSolvedWeights, encodeWeightUpdate } from './weight-update.js';

/** Of this thread of JavaScript, which has one executor for each GPU. */
const orders = new Map<number, CallOrder>();

function orderOf(device: number): CallOrder {
  let order = orders.get(device);
  if (!order) {
    order = new CallOrder();
    orders.set(device, order);
  }
  return order;
}

/** What of the addon it calls. */
export type CudaAddon = Pick<NativeAddon, 'deviceMoments' | 'DeviceMomentStream' | 'Cancellation'>;

/**
 * The backend of one GPU.
 *
 * @param device its number
 * @param why why it is the one in use
 * @throws PikeError `ERR_NO_BACKEND` without a usable GPU, `ERR_INVALID_OPTION` when there is none of this number
 */
export function createCudaBackend(
  addon: CudaAddon | null,
  { usable, devices, reason }: CudaStatus,
  device: number,
  why: string,
): Backend {
  if (!addon || !usable) throw new PikeError('ERR_NO_BACKEND', `backend 'cuda' cannot be had: ${reason}.`);
  if (device >= devices.length)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `There is no GPU ${device}; device must be a number below ${devices.length}, the number of GPUs found: ${reason}.`,
    );
  return new CudaBackend(addon, device, devices[device], why);
}

class CudaBackend implements Backend {
  readonly name = 'cuda';
  readonly device: string;
  readonly instructionSet: string;
  readonly reason: string;
  readonly #addon: CudaAddon;
  readonly #number: number;

  constructor(addon: CudaAddon, number: number, { name, computeCapability }: NativeCudaDevice, why: string) {
    this.#addon = addon;
    this.#number = number;
    this.device = name;
    this.instructionSet = `sm_${computeCapability.replace('.', '')}`;
    this.reason = `${why}; GPU ${number}: ${name}`;
  }

  async moments(request: MomentsRequest): Promise<Moments> {
    return (await this.#measure(request, null)).moments;
  }

  async solve(
    request: MomentsRequest,
    update: WeightUpdate,
  ): Promise<{ moments: Moments; solved: SolvedWeights }> {
    const { moments, solved } = await this.#measure(request, update);
    if (!solved) throw new PikeError('ERR_INTERNAL', 'The GPU was asked for weights, but gave none.');
    return { moments, solved: decodeSolvedWeights(solved, request.rows.length) };
  }

  stream(request: MomentStreamRequest): MomentStream {
    return new CudaMomentStream(this.#addon, this, this.#number, request);
  }

  async #measure(request: MomentsRequest, update: WeightUpdate | null) {
    throwIfAborted(request.signal);
    const rows = request.rows.flat();
    const { preconditioner } = request;
    const native = {
      device: this.#number,
      dtypes: dtypeNumbers(rows[0].dtypes),
      lengths: Float64Array.from(rows[0].lengths),
      rowsPerTask: Int32Array.from(request.rows, (task) => task.length),
      samples: Float64Array.from(request.samples.flat()),
      ...nativeRows(rows, 'gradient'),
      ...sourceOf(rows, preconditioner),
      preconditioner: nativePreconditioner(preconditioner),
      inner: request.inner,
      rowScalars: request.rowScalars === true,
      rowScalarsIfThere: request.rowScalars === 'optional',
      update: update && encodeWeightUpdate(update),
    };
    const order = orderOf(this.#number);
    return await settle(this.#addon, order, request.caller ?? this, request.signal, (cancellation) =>
      this.#addon.deviceMoments(native, cancellation, true),
    );
  }
}

class CudaMomentStream implements MomentStream {
  readonly #addon: CudaAddon;
  readonly #caller: object;
  readonly #order: CallOrder;
  readonly #stream: NativeDeviceMomentStream;

  constructor(
    addon: CudaAddon,
    caller: object,
    device: number,
    { tasks, layout, inner }: MomentStreamRequest,
  ) {
    this.#addon = addon;
    this.#caller = caller;
    this.#order = orderOf(device);
    this.#stream = new addon.DeviceMomentStream({
      device,
      tasks,
      dtypes: dtypeNumbers(layout.dtypes),
      lengths: Float64Array.from(layout.lengths),
      inner,
    });
  }

  async add(
    task: number,
    gradient: GradientView,
    samples: number,
    preconditioner: GradientView | null,
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    const rows = { ...nativeRows([gradient], 'gradient'), ...sourceOf([gradient], preconditioner) };
    const metric = nativePreconditioner(preconditioner);
    await settle(this.#addon, this.#order, this.#caller, signal, (cancellation) =>
      this.#stream.add(task, rows, samples, metric, cancellation, true),
    );
  }

  async moments(signal?: AbortSignal): Promise<Moments> {
    throwIfAborted(signal);
    return await settle(this.#addon, this.#order, this.#caller, signal, (cancellation) =>
      this.#stream.moments(cancellation),
    );
  }

  dispose(): void {
    this.#order.inTurn(this.#caller, () => this.#stream.dispose());
  }
}

/** Rows that all lie in one kind of memory. */
function nativeRows(rows: readonly GradientView[], name: string): NativeDeviceRows {
  if (rows[0].memory === 'device') {
    const addresses = rows.flatMap((row) => (row.memory === 'device' ? row.pointers : []));
    return { pointers: BigUint64Array.from(addresses), tensors: null };
  }
  const tensors = rows.flatMap((row) => {
    if (row.memory !== 'host') return [];
    assertAllReadable(row, name);
    return row.tensors;
  });
  return { pointers: null, tensors };
}

function nativePreconditioner(view: GradientView | null): NativeDevicePreconditioner | null {
  return view && { dtypes: dtypeNumbers(view.dtypes), ...nativeRows([view], 'preconditioner') };
}

function sourceOf(rows: readonly GradientView[], preconditioner: GradientView | null): NativeDeviceSource {
  const views = preconditioner ? [...rows, preconditioner] : rows;
  const device = views.filter((view) => view.memory === 'device');
  return {
    streams: BigUint64Array.from(new Set(device.flatMap((view) => view.streams))),
    owners: [...new Set(device.flatMap((view) => view.owners))],
  };
}

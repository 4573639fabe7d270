/**
 * Gradients in the memory of a GPU: addresses, checked as far as that goes without asking the GPU. The backend
 * asks it whether they are addresses of its memory.
 */
import { PikeError } from '../errors.js';
import { refuseUnknown, requireNonNegativeInteger, show } from '../validate.js';
import type { GradientLayout } from './layout.js';

/** Element types that the kernels of a GPU read. */
export type DeviceDtype = 'float32' | 'bfloat16' | 'float16';

/** One flat tensor in the memory of a GPU. */
export interface DeviceTensor {
  /** Address of its first element, a multiple of the element size; 0n only for an empty tensor. */
  readonly pointer: bigint;
  /** Number of elements. */
  readonly length: number;
  /** Type of its elements. */
  readonly dtype: DeviceDtype;
  /** Number of the GPU, as CUDA counts them (default 0). */
  readonly device?: number;
  /**
   * Handle of the cudaStream_t that writes the tensor: what it has been given at the time of the call is done
   * before an element is read (default 0n, the legacy default stream).
   */
  readonly stream?: bigint;
  /** Whatever keeps the memory alive: held until the call has read it. */
  readonly owner?: unknown;
}

/** A gradient in the memory of one GPU: one flat tensor, or a list of them (one per parameter tensor). */
export type DeviceGradient = DeviceTensor | readonly DeviceTensor[];

/** A checked gradient of device memory. */
export interface DeviceView extends GradientLayout {
  /** Which kind of memory it is. */
  readonly memory: 'device';
  /** Number of the GPU. */
  readonly device: number;
  /** Element types of the tensors. */
  readonly dtypes: readonly DeviceDtype[];
  /** Addresses of the tensors; 0n for an empty one. */
  readonly pointers: readonly bigint[];
  /** What must be waited for, each stream once. */
  readonly streams: readonly bigint[];
  /** What must be kept alive, each owner once. */
  readonly owners: readonly unknown[];
}

const ELEMENT_BYTES: Readonly<Record<DeviceDtype, number>> = { float32: 4, bfloat16: 2, float16: 2 };
const ADDRESS_END = 2n ** 64n;
/** cudaStreamLegacy: another handle of the legacy default stream. */
const LEGACY_STREAM = 1n;
/** cudaStreamPerThread */
const PER_THREAD_STREAM = 2n;

/** Whether this is meant as a tensor of a GPU. */
export function isDeviceTensor(tensor: unknown): boolean {
  return typeof tensor === 'object' && tensor !== null && 'pointer' in tensor;
}

/**
 * @param list its tensors
 * @param nameOf how a message calls tensor t
 * @throws PikeError `ERR_INVALID_OPTION` for what can be no address, length, device or stream, `ERR_DTYPE` for
 *   element types that a GPU does not take and for tensors that do not lie on one GPU
 */
export function viewDeviceTensors(list: readonly unknown[], nameOf: (t: number) => string): DeviceView {
  const tensors = list.map((tensor, t) => checkTensor(tensor as DeviceTensor, nameOf(t)));
  const { device } = tensors[0];
  const elsewhere = tensors.findIndex((tensor) => tensor.device !== device);
  if (elsewhere >= 0)
    throw new PikeError(
      'ERR_DTYPE',
      `${nameOf(elsewhere)} lies on GPU ${tensors[elsewhere].device} where ${nameOf(0)} lies on GPU ${device}; all tensors must lie on one.`,
    );
  const lengths = tensors.map((tensor) => tensor.length);
  return {
    memory: 'device',
    device,
    dtypes: tensors.map((tensor) => tensor.dtype),
    lengths,
    length: lengths.reduce((sum, length) => sum + length, 0),
    pointers: tensors.map((tensor) => tensor.pointer),
    streams: [...new Set(tensors.map((tensor) => tensor.stream))],
    owners: [...new Set(tensors.map((tensor) => tensor.owner).filter((owner) => owner !== undefined))],
  };
}

function checkTensor(tensor: DeviceTensor, name: string): Required<DeviceTensor> {
  refuseUnknown(name, tensor, ['pointer', 'length', 'dtype', 'device', 'stream', 'owner']);
  const dtype = checkDtype(tensor.dtype, name);
  const length = requireNonNegativeInteger(`${name}.length`, tensor.length);
  return {
    pointer: checkPointer(tensor.pointer, length, dtype, name),
    length,
    dtype,
    device: requireNonNegativeInteger(`${name}.device`, tensor.device ?? 0),
    stream: checkStream(tensor.stream ?? 0n, name),
    owner: tensor.owner,
  };
}

function checkDtype(dtype: unknown, name: string): DeviceDtype {
  if (typeof dtype === 'string' && Object.hasOwn(ELEMENT_BYTES, dtype)) return dtype as DeviceDtype;
  throw new PikeError(
    'ERR_DTYPE',
    `${name}.dtype is ${show(dtype)}; in the memory of a GPU, gradients are 'float32', 'bfloat16' or 'float16'.`,
  );
}

function checkPointer(pointer: unknown, length: number, dtype: DeviceDtype, name: string): bigint {
  if (typeof pointer !== 'bigint' || pointer < 0n || pointer >= ADDRESS_END)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name}.pointer must be an address of 64 bits as a bigint, but is ${show(pointer)}.`,
    );
  if (length === 0) return 0n;
  if (pointer === 0n)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name}.pointer is 0n, but the tensor has ${length} elements; expected the address of the first.`,
    );
  const bytes = BigInt(ELEMENT_BYTES[dtype]);
  if (pointer % bytes !== 0n)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name}.pointer must be a multiple of ${bytes}, the size of a ${dtype}, but is 0x${pointer.toString(16)}.`,
    );
  if (pointer + BigInt(length) * bytes > ADDRESS_END)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name} ends beyond the last address: ${length} elements from 0x${pointer.toString(16)} on.`,
    );
  return pointer;
}

function checkStream(stream: unknown, name: string): bigint {
  if (typeof stream !== 'bigint' || stream < 0n || stream >= ADDRESS_END)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name}.stream must be the handle of a cudaStream_t as a bigint, but is ${show(stream)}.`,
    );
  if (stream === PER_THREAD_STREAM)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `${name}.stream is 2n, cudaStreamPerThread, which names another stream in every thread, so here not yours; ` +
        'pass the handle of a stream that you created, or 0n for the legacy default stream.',
    );
  return stream === LEGACY_STREAM ? 0n : stream;
}

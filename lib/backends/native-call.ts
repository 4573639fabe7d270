/**
 * Calls of the addon: what they have in common. Errors are made here, not there, so that their stack shows the
 * caller's line.
 */
import { type ErrorCode, PikeError } from '../errors.js';
import { assertReadable, type HostView } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import { allowWaiting, throwIfAborted } from '../validate.js';
import type { CallOrder } from './call-order.js';
import type { NativeAddon, NativeCall, NativeCancellation, NativeStatus } from './load-addon.js';

/** native/core/dtype.h */
const DTYPE_NUMBERS: Readonly<Record<Dtype, number>> = { float32: 0, float64: 1, bfloat16: 2, float16: 3 };

export function dtypeNumbers(dtypes: readonly Dtype[]): Uint8Array {
  return Uint8Array.from(dtypes, (dtype) => DTYPE_NUMBERS[dtype]);
}

/** Again, although it was checked when it came in: the caller may have transferred it since. */
export function assertAllReadable(view: HostView, name: string): void {
  for (const memory of view.tensors) assertReadable(memory, name);
}

/**
 * Begins a native call in its turn, cancels it when the signal fires, and throws what a status says.
 *
 * @param order of the executor that it goes to
 * @param caller whose calls keep their order
 */
export async function settle<T>(
  addon: Pick<NativeAddon, 'Cancellation'>,
  order: CallOrder,
  caller: object,
  signal: AbortSignal | undefined,
  begin: (cancellation: NativeCancellation | null) => NativeCall<T>,
): Promise<T> {
  const cancellation = signal ? new addon.Cancellation() : null;
  const cancel = () => cancellation?.cancel();
  if (signal) allowWaiting(signal);
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const begun = await order.begin(caller, signal, () => begin(cancellation));
    let result: T | NativeStatus;
    try {
      result = await begun.result;
    } finally {
      begun.end();
    }
    if (!isStatus(result)) return result;
    if (result.code === 'ERR_ABORTED') throwIfAborted(signal);
    throw new PikeError(result.code as ErrorCode, result.message);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

export function isStatus(result: unknown): result is NativeStatus {
  return typeof result === 'object' && result !== null && 'code' in result;
}

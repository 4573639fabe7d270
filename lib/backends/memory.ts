/** Which backends read which memory. Each check is made when a call comes in, before anything is begun. */
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import type { HostView } from '../gradients/host-gradient.js';
import type { Dtype } from '../gradients/layout.js';
import type { BackendName } from './backend.js';

/** @throws PikeError `ERR_DTYPE` when it lies in the memory of a GPU, which only 'cuda' reads. */
export function hostView(view: GradientView, name: string, backend: BackendName): HostView {
  if (view.memory === 'host') return view;
  throw new PikeError(
    'ERR_DTYPE',
    `${name} lies in the memory of GPU ${view.device}, which backend '${backend}' does not read; use backend 'auto' or 'cuda'.`,
  );
}

/** @throws PikeError `ERR_DTYPE` for element types that the kernels of a GPU do not read. */
export function assertForGpu(row: GradientView, preconditioner: GradientView | null, name: string): void {
  const isFloat64 = (dtype: Dtype) => dtype === 'float64';
  if (row.dtypes.some(isFloat64)) throw float64(name);
  if (preconditioner?.dtypes.some(isFloat64)) throw float64('preconditioner');
  const [dtype] = row.dtypes;
  const other = row.dtypes.find((d) => d !== dtype);
  if (other !== undefined)
    throw new PikeError(
      'ERR_DTYPE',
      `${name} has tensors of ${dtype} and of ${other}; backend 'cuda' takes gradients whose tensors are all of one element type.`,
    );
}

function float64(name: string): PikeError {
  return new PikeError(
    'ERR_DTYPE',
    `${name} is float64, which backend 'cuda' does not read; it takes float32, bfloat16 or float16.`,
  );
}

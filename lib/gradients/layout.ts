/**
 * Shape of a gradient and where it lies: what must be the same in all that is measured together.
 */
import { PikeError } from '../errors.js';

/** Element types that the backends read. Products and sums are formed in wider precision. */
export type Dtype = 'float32' | 'float64' | 'bfloat16' | 'float16';

/** Shape of a gradient: the lengths and element types of its tensors, in order. */
export interface GradientLayout {
  /** Element type of each tensor. */
  readonly dtypes: readonly Dtype[];
  /** Elements of each tensor. */
  readonly lengths: readonly number[];
  /** d: the number of parameters, the sum of `lengths`. */
  readonly length: number;
}

/** The memory that a gradient lies in: the host's, or that of the GPU of this number. */
export type Place = { readonly memory: 'host' } | { readonly memory: 'device'; readonly device: number };

/** The place alone, without the view that is there. */
export function placeOf(view: Place): Place {
  return view.memory === 'host' ? { memory: 'host' } : { memory: 'device', device: view.device };
}

export function showPlace(place: Place): string {
  return place.memory === 'host' ? 'in host memory' : `in the memory of GPU ${place.device}`;
}

export function isSamePlace(a: Place, b: Place): boolean {
  if (a.memory === 'host' || b.memory === 'host') return a.memory === b.memory;
  return a.device === b.device;
}

/** @throws PikeError `ERR_DTYPE` when `view` lies elsewhere than `expected`. */
export function assertSamePlace(view: Place, expected: Place, name: string, expectedName: string): void {
  if (isSamePlace(view, expected)) return;
  throw new PikeError(
    'ERR_DTYPE',
    `${name} lies ${showPlace(view)} where ${expectedName} lies ${showPlace(expected)}; all that is measured together must lie in one memory.`,
  );
}

/** @throws PikeError `ERR_SHAPE` or `ERR_DTYPE` when `view` is not laid out like `expected`. */
export function assertSameLayout(
  view: GradientLayout,
  expected: GradientLayout,
  name: string,
  expectedName: string,
): void {
  assertSameLengths(view, expected, name, expectedName);
  for (let t = 0; t < view.dtypes.length; t++)
    if (view.dtypes[t] !== expected.dtypes[t])
      throw new PikeError(
        'ERR_DTYPE',
        `${name} is ${view.dtypes[t]} where ${expectedName} is ${expected.dtypes[t]} (tensor ${t}); all rows must have the same element types.`,
      );
}

/** @throws PikeError `ERR_SHAPE` when the tensors of `view` have other lengths than those of `expected`. */
export function assertSameLengths(
  view: GradientLayout,
  expected: GradientLayout,
  name: string,
  expectedName: string,
): void {
  if (view.lengths.length !== expected.lengths.length)
    throw new PikeError(
      'ERR_SHAPE',
      `${name} has ${view.lengths.length} tensors where ${expectedName} has ${expected.lengths.length}; all must have the same layout.`,
    );
  for (let t = 0; t < view.lengths.length; t++)
    if (view.lengths[t] !== expected.lengths[t])
      throw new PikeError(
        'ERR_SHAPE',
        `${name} has ${view.lengths[t]} elements where ${expectedName} has ${expected.lengths[t]} (tensor ${t}); all must have the same layout.`,
      );
}

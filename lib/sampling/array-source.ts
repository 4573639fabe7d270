/** Arrays as sources: shuffled without replacement in each pass, without a copy and without a table. */
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import { type OrderOptions, orderedSource } from './index-space.js';
import type { SampleSource } from './source.js';

/**
 * A source whose samples are the elements of an array, which is not copied and must keep its length. A plain array given
 * to `MixedSource` is one of these.
 *
 * @throws PikeError `ERR_INVALID_OPTION` when this is no array; from `read` `ERR_SOURCE` when its length has changed
 */
export function arraySource<T>(items: readonly T[], options: OrderOptions = {}): SampleSource<T> {
  if (!Array.isArray(items))
    throw new PikeError('ERR_INVALID_OPTION', `arraySource takes an array, not ${show(items)}.`);
  const size = items.length;
  const itemAt = (index: number): T => {
    if (items.length !== size)
      throw new PikeError(
        'ERR_SOURCE',
        `An array of ${size} samples has ${items.length} now; it must keep its length while it is a source.`,
      );
    return items[index];
  };
  return orderedSource('an array', size, itemAt, options);
}

/** What users hand in as a source, made one. */
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import { arraySource } from './array-source.js';
import { isIterable, iterableSource, onePassSource } from './iterable-source.js';
import type { SampleSource, SourceInput } from './source.js';

/**
 * @param name of its task, for the message
 * @throws PikeError `ERR_INVALID_OPTION` for what is none of them
 */
export function toSource<T>(name: string, given: SourceInput<T>): SampleSource<T> {
  const value: unknown = given;
  if (Array.isArray(value)) return arraySource(value as T[]);
  if (isSource<T>(value)) return value;
  if (ArrayBuffer.isView(value))
    throw notASource(name, `${show(value)}: pass indexSpace(n) and look rows up by number`);
  if (isIterable<T>(value)) return onePassSource(value);
  if (typeof value === 'function') return iterableSource(value as () => Iterable<T>);
  if (typeof value === 'string' || value instanceof URL)
    throw notASource(name, `${show(value)}: to read a file, pass textLines(path) or jsonLines(path)`);
  throw notASource(name, show(value));
}

/** A file's stream has a method `open`, too, of another kind; but it can be iterated. */
function isSource<T>(value: unknown): value is SampleSource<T> {
  return (
    typeof (value as Partial<SampleSource<T>> | null)?.open === 'function' &&
    !(Symbol.asyncIterator in Object(value))
  );
}

function notASource(name: string, given: string): PikeError {
  return new PikeError(
    'ERR_INVALID_OPTION',
    `Source ${show(name)} must be an array, a function that makes an iterable or a stream for each pass, an iterable, or a SampleSource, but is ${given}.`,
  );
}

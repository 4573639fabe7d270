/**
 * Standard errors of averages over updates (derived). The average is sum_t c_t ω_t x_t / sum_t c_t ω_t with
 * c_t = (1−β)β^age, and measurements are independent, so that
 *
 *     error² = sum_t (c_t ω_t e_t)² / (sum_t c_t ω_t)²
 *
 * with e_t the error of x_t. A measurement whose own error is not known (m < 3, or taken by `observe`) counts as if it had
 * the error of the others at equal precision, e_t² = v/ω_t, which is what weighting by ω supposes:
 * v = sum (c_t ω_t e_t)² / sum c_t² ω_t over those whose error is known.
 *
 * It is the error of the average as an estimate of what was measured: that the truth moves while parameters are trained is
 * not in it.
 */
import type { Average } from './average.js';

/** Of one average, as plain JSON. The sums of squares are kept as their roots, which neither over- nor underflow first. */
export interface AverageError {
  /** √ sum (c_t ω_t e_t)², over measurements whose error is known. */
  weighted: number[];
  /** √ sum c_t² ω_t over the same. */
  precisionOfKnown: number[];
  /** √ sum c_t² ω_t over all. */
  precision: number[];
  /** The error; 0 while `known[i]` is false. */
  error: number[];
  /** Whether it is known. */
  known: boolean[];
}

export function emptyAverageError(length: number): AverageError {
  const zeros = () => new Array<number>(length).fill(0);
  return {
    weighted: zeros(),
    precisionOfKnown: zeros(),
    precision: zeros(),
    error: zeros(),
    known: new Array<boolean>(length).fill(false),
  };
}

/**
 * One step of the errors of an average. `before` itself is left as it is.
 *
 * @param average the average after the same step
 * @param beta β in [0, 1)
 * @param values the new estimates; NaN is a miss
 * @param precisions ω of each
 * @param errors the standard error of each, NaN where unknown; null when none is known
 */
export function advanceError(
  before: AverageError,
  average: Average,
  beta: number,
  values: ArrayLike<number>,
  precisions: ArrayLike<number>,
  errors: ArrayLike<number> | null,
): AverageError {
  const next: AverageError = {
    weighted: before.weighted.slice(),
    precisionOfKnown: before.precisionOfKnown.slice(),
    precision: before.precision.slice(),
    error: before.error.slice(),
    known: before.known.slice(),
  };
  for (let i = 0; i < values.length; i++) {
    const missed = !Number.isFinite(values[i] * precisions[i]) || !(precisions[i] > 0);
    const own = errors?.[i] ?? Number.NaN;
    const weighted = (1 - beta) * precisions[i] * own;
    const precision = missed ? 0 : (1 - beta) * Math.sqrt(precisions[i]);
    const isKnown = !missed && Number.isFinite(weighted);
    next.weighted[i] = Math.min(
      Math.hypot(beta * before.weighted[i], isKnown ? weighted : 0),
      Number.MAX_VALUE,
    );
    next.precisionOfKnown[i] = Math.hypot(beta * before.precisionOfKnown[i], isKnown ? precision : 0);
    next.precision[i] = Math.hypot(beta * before.precision[i], precision);
    // As its estimate, the error of a task that is missed stays.
    if (missed) continue;
    const share = next.precision[i] / next.precisionOfKnown[i];
    const error = (next.weighted[i] / average.denominator[i]) * share;
    next.known[i] = Number.isFinite(error);
    next.error[i] = next.known[i] ? error : 0;
  }
  return next;
}

/** The errors, NaN where unknown; null when all are. */
export function errorsOf({ error, known }: AverageError): Float64Array | null {
  if (!known.includes(true)) return null;
  return Float64Array.from(error, (e, i) => (known[i] ? e : Number.NaN));
}

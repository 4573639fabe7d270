/**
 * Where a mixer computes. One mixer takes one kind of memory and one GPU: which, its first measurement decides, and
 * with it the backend that a state comes from.
 */
import type { Backend } from '../backends/backend.js';
import { type BackendChoice, selectBackend } from '../backends/select.js';
import type { BackendSource } from '../backends/source.js';
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import { isSamePlace, type Place, placeOf, showPlace } from '../gradients/layout.js';

/** What made a state: on another backend or Node version a run goes on, but not bit for bit. */
export interface StateOrigin {
  /** Name of the backend. */
  backend: string;
  /** Of its CPU kernels; '' for none. */
  instructionSet: string;
  /** Version of Node.js, as `process.version`. */
  node: string;
}

export class BackendInUse {
  /** Why this is not what one would expect, or null: the caller must be told. */
  readonly fallback: string | null;
  readonly #choice: BackendChoice;
  readonly #source: BackendSource;
  #place: Place | null = null;
  /** What a resumed run is taken to go on with, until its first measurement shows. */
  #expected: StateOrigin | null = null;

  /** @throws PikeError `ERR_NO_BACKEND` */
  constructor(options: { backend: BackendChoice; threads: number | undefined }) {
    const { source, fallback } = selectBackend(options.backend, options);
    this.#choice = options.backend;
    this.#source = source;
    this.fallback = fallback;
  }

  get current(): Backend {
    return this.#source.current;
  }

  /** @throws PikeError `ERR_DTYPE` for gradients that cannot be read, or lie elsewhere than those measured before */
  assertTakes(row: GradientView, preconditioner: GradientView | null, name: string): void {
    this.#source.assertTakes(row, preconditioner, name);
    this.#assertPlace(row, name);
  }

  /** @throws PikeError `ERR_DTYPE`, `ERR_NO_BACKEND`, `ERR_INVALID_OPTION` when there is no such GPU */
  readonly open = async (place: Place): Promise<Backend> => {
    // Again: a call ahead in the queue may have decided it since.
    this.#assertPlace(place, 'gradient');
    return await this.#source.open(place);
  };

  /**
   * A measurement has come to its end.
   *
   * @param place where its gradients lay; null when there were none
   * @returns a warning when that is not where the state was taken that this run goes on from
   */
  measured(place: Place | null): string | null {
    if (!place) return null;
    this.#place ??= placeOf(place);
    const expected = this.#expected;
    this.#expected = null;
    return expected && changes(expected, this.origin());
  }

  /** @returns a warning of what is already known not to be as it was when the state was taken */
  resume(saved: StateOrigin): string | null {
    const origin = this.origin();
    // Under 'auto' a run on a GPU goes on there, if its gradients still come from there.
    const expected =
      this.#choice === 'auto' && saved.backend === 'cuda' ? { ...saved, node: origin.node } : origin;
    this.#expected = expected;
    return changes(saved, expected);
  }

  origin(): StateOrigin {
    if (this.#expected) return { ...this.#expected };
    const { name, instructionSet = '' } = this.current;
    return { backend: name, instructionSet, node: process.version };
  }

  #assertPlace(place: Place, name: string): void {
    if (!this.#place || isSamePlace(place, this.#place)) return;
    throw new PikeError(
      'ERR_DTYPE',
      `${name} lies ${showPlace(place)}, but this mixer has measured gradients ${showPlace(this.#place)}; one mixer takes one kind of memory, and one GPU.`,
    );
  }
}

function changes(before: StateOrigin, now: StateOrigin): string | null {
  const changed = (Object.keys(now) as (keyof StateOrigin)[])
    .filter((key) => now[key] !== before[key])
    .map((key) => `${key} was ${before[key]} and is ${now[key]}`);
  return changed.length === 0 ? null : `The run goes on, but not bit for bit: ${changed.join('; ')}.`;
}

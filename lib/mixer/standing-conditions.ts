/**
 * What holds from one update to the next and deserves a warning when it begins, not at every update. It is no part of a
 * mixer's state: after a restore, what still holds is told once more.
 */
import type { ResolvedOptions } from './options.js';
import type { MixerWarning, UpdateReport } from './report.js';

/** All noise until differences are clearly more than that: H between 1 and this leaves things as they are. */
const CLEAR_HETEROGENEITY = 2;

export type Warning = Pick<MixerWarning, 'code' | 'message'>;

export class StandingConditions {
  readonly #tasks: readonly string[];
  readonly #significance: number;
  /** How many updates an average remembers: fewer all at the noise say little. */
  readonly #memory: number;
  readonly #standing = new Set<MixerWarning['code']>();
  #updatesAtNoise = 0;

  constructor({ tasks, significance, smoothing }: ResolvedOptions) {
    this.#tasks = tasks;
    this.#significance = significance;
    this.#memory = Math.round(1 / (1 - smoothing));
  }

  /** @returns warnings of what begins with this update */
  after(report: UpdateReport): Warning[] {
    if (report.missed.length + report.retired.length === this.#tasks.length) return [];
    return [this.#bound(report), this.#noise(report), this.#errors(report)].flat();
  }

  #bound({ conflict, step }: UpdateReport): Warning[] {
    if (!conflict) return [];
    const { conflict: c, beta } = conflict;
    return this.#whenItBegins(
      'WARN_BOUND_BROKEN',
      !conflict.boundHolds,
      conflict.boundHolds,
      `Tasks conflict so much at step ${step} that the bound on the loss behind PiKE says nothing any more: ` +
        `c = ${c.toPrecision(3)} makes β = ${beta.toPrecision(3)}, which must be above 0. The cosines stand in the ` +
        "report's conflict. The weights still follow the rule; larger ones for tasks of small weight may mend the bound, and a " +
        'rule that uses the inner products needs none.',
    );
  }

  #noise({ heterogeneity, step }: UpdateReport): Warning[] {
    if (heterogeneity === null) return [];
    this.#updatesAtNoise = heterogeneity <= 1 ? this.#updatesAtNoise + 1 : 0;
    return this.#whenItBegins(
      'WARN_ALL_NOISE',
      this.#updatesAtNoise >= this.#memory,
      heterogeneity > CLEAR_HETEROGENEITY,
      `The tasks' exponents differ by no more than their standard errors explain (${heterogeneity.toPrecision(2)} times that ` +
        `at step ${step}), and have for ${this.#memory} updates: ` +
        (this.#significance > 0
          ? 'what moves the weights is noise, as far as significance lets it. '
          : 'noise moves the weights; significance would hold it back. ') +
        'Larger or more micro-batches and more smoothing help, or to stop updating.',
    );
  }

  #errors({ smoothed, step }: UpdateReport): Warning[] {
    if (this.#significance === 0) return [];
    const { normSquared, standardError } = smoothed;
    const unknown = this.#tasks.filter(
      (_, k) =>
        !Number.isNaN(normSquared[k]) &&
        !(standardError && standardError.normSquared[k] >= 0 && standardError.variance[k] >= 0),
    );
    return this.#whenItBegins(
      'WARN_ERRORS_UNKNOWN',
      unknown.length > 0,
      unknown.length === 0,
      `significance is ${this.#significance}, but at step ${step} the standard errors of ${unknown.join(', ')} are not known, so ` +
        'any difference moves these. They need three micro-batches or more per task, by measure: observe cannot tell them.',
    );
  }

  #whenItBegins(code: MixerWarning['code'], begins: boolean, ends: boolean, message: string): Warning[] {
    if (ends) this.#standing.delete(code);
    if (!begins || this.#standing.has(code)) return [];
    this.#standing.add(code);
    return [{ code, message }];
  }
}

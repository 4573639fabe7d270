/**
 * Mixtures that stay as they are: what adaptive ones are compared with first.
 *
 *     uniform        w_k = 1/K                       "Mix" in Li et al., arXiv 2502.06244
 *     proportional   w_k = n_k / sum_j n_j           n_k: how much data of task k there is
 *     temperature    w_k ∝ n_k^(1/T)                 Arivazhagan et al. 2019, arXiv 1907.05019, section 3.2
 *
 * T = 1 is proportional, T → ∞ uniform. Below the floor `minWeight` a weight is raised to it.
 */
import { PikeError } from '../../errors.js';
import {
  refuseUnknown,
  requireFiniteNumbers,
  requireNumberIn,
  requirePositiveNumber,
  show,
} from '../../validate.js';
import { retiresFrom } from '../retirement.js';
import {
  decodeLogWeights,
  encodeLogWeights,
  type RuleOptions,
  stepResult,
  type WeightRule,
} from '../rule.js';
import { normalize, projectOntoFloor, stay } from '../simplex.js';
import { assertSameParameters, encodeNumber, type Parameters, requirePerTask } from './parameters.js';

export const uniformRule: WeightRule = fixedRule('uniform', {}, (tasks) => new Float64Array(tasks));

/** Of `proportional`. */
export interface SizesOptions {
  /** How much data of every task there is (samples, tokens, bytes: only ratios count), K numbers > 0, tasks in order. */
  sizes: ArrayLike<number>;
}

/**
 * Weights in proportion to the sizes of the data. Any fixed mixture can be had this way: sizes may be weights.
 *
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function proportional(options: SizesOptions): WeightRule {
  refuseUnknown('proportional', options ?? {}, ['sizes']);
  const sizes = checkSizes('proportional', options?.sizes);
  return bySize('proportional', { sizes: Array.from(sizes) }, sizes, 1);
}

/** Of `temperature`. */
export interface TemperatureOptions extends SizesOptions {
  /** T > 0, may be Infinity (default 5, as in Arivazhagan et al.). */
  temperature?: number;
}

/**
 * Weights in proportion to sizes^(1/T): small sources are seen more often than their size would have it.
 *
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_NON_FINITE`
 */
export function temperature(options: TemperatureOptions): WeightRule {
  refuseUnknown('temperature', options ?? {}, ['sizes', 'temperature']);
  const sizes = checkSizes('temperature', options?.sizes);
  const T = requireNumberIn('temperature', options.temperature ?? 5, Number.MIN_VALUE, Infinity, true);
  return bySize('temperature', { sizes: Array.from(sizes), temperature: encodeNumber(T) }, sizes, T);
}

function checkSizes(rule: string, sizes: ArrayLike<number> | undefined): Float64Array {
  if (typeof sizes !== 'object' || !(sizes?.length > 0))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule}' needs sizes: how much data every task has, a list of numbers in the order of tasks, but got ${show(sizes)}.`,
    );
  const checked = requireFiniteNumbers(`sizes of rule '${rule}'`, sizes, sizes.length);
  for (const [k, size] of checked.entries()) requirePositiveNumber(`sizes[${k}]`, size);
  return checked;
}

function bySize(name: string, parameters: Parameters, sizes: Float64Array, T: number): WeightRule {
  return fixedRule(name, parameters, (tasks) => {
    requirePerTask(name, 'sizes', sizes, tasks);
    // Differences first: with T near 0 the quotients would be infinite before they are normalised.
    const logs = sizes.map(Math.log);
    const largest = Math.max(...logs);
    return logs.map((x) => Math.max((x - largest) / T, -Number.MAX_VALUE));
  });
}

/** @param logTarget the log-weights for K tasks, up to a constant */
function fixedRule(
  name: string,
  parameters: Parameters,
  logTarget: (tasks: number) => Float64Array,
): WeightRule {
  return {
    name,
    needs: { gradients: false },
    defaults: { minWeight: 0 },
    init(tasks, options) {
      refuseInitialWeights(name, options);
      const target = normalize(logTarget(tasks));
      return { logWeights: encodeLogWeights(projectOntoFloor(target, options.minWeight)), parameters };
    },
    retire: retiresFrom(),
    update(state, { tasks }, { options: { minWeight } }) {
      assertSameParameters(name, state, parameters);
      const result = stepResult(stay(decodeLogWeights(state.logWeights, tasks), minWeight));
      return { ...result, state: { ...result.state, parameters } };
    },
  };
}

/** Initial weights that would be ignored are taken for a mistake. */
function refuseInitialWeights(name: string, { initialWeights }: RuleOptions): void {
  if (initialWeights.every((w) => w === initialWeights[0])) return;
  throw new PikeError(
    'ERR_INVALID_OPTION',
    `rule '${name}' has weights of its own: leave out initialWeights, or pass rule: proportional({ sizes: initialWeights }) to keep them.`,
  );
}

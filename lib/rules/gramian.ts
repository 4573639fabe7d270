/**
 * Gramian PiKE (derived; in no published system). Where all inner products G_jk = ⟨∇L_j, ∇L_k⟩ are known, nothing has to
 * be bounded: for SGD E‖g‖² = wᵀGw + (1/b) sum_k w_k σ_k², and the descent lemma reads
 *
 *     E[L(θ⁺)] − L(θ) <= −η sum_k w_k (G·1)_k + (Lη²/2)(wᵀGw + (1/b) sum_k w_k σ_k²),
 *
 * a convex quadratic program in the weights. With G diagonal it is eq. (9) of Li et al., arXiv 2502.06244, with
 * β = γ = 1; beyond that, it knows that a task is also served, or harmed, by what the others are given.
 */
import { PikeError } from '../errors.js';
import { requireFiniteNumbers, requirePositiveNumber, show } from '../validate.js';
import { projectOntoPsd } from './psd-projection.js';
import { boundRule, type WeightRule } from './rule.js';
import { bound, type StepOptions, type StepResult, weightsOf } from './simplex.js';
import { minimizeOnSimplex } from './simplex-program.js';
import { checkStateless, type StatelessOptions } from './stateless.js';
import { stepToTarget } from './target-step.js';

/**
 * A step towards the minimiser: with `maxLogStep: Infinity` and `priorPull: 0` the minimiser itself, wherever the
 * weights stand. Minimisers sit in corners and change suddenly, so where T0 > 1 a short step is the better default.
 *
 * Products of tasks that were never measured in one measurement count as 0, as all products do in eq. (9). Smoothed
 * products are no Gramian of anything, and may be indefinite: they are projected onto the positive semidefinite
 * cone first, and `projected` says how far.
 */
export const gramianRule: WeightRule = boundRule('gramian', gramianStep, {
  needs: { variance: true, inner: true },
});

interface ProblemOptions {
  readonly learningRate: number;
  readonly smoothness: number;
  readonly batchSize: number;
  readonly minWeight: number;
}

interface Products {
  /** G, K×K row-major. */
  readonly inner: ArrayLike<number> | null;
  readonly variance: ArrayLike<number>;
}

/** Beyond this ratio of two terms the smaller one is nothing but rounding. */
const FAR = 1e30;
/** Less than this part of the largest product is none: in squares, as a factorisation forms them, it would underflow. */
const FAINT = 2 ** -500;
/** More noise than this, relative to G, keeps a task at its smallest weight in any case. */
const DEAFENING = 1e200;

/**
 * The minimiser on the tasks of an index list, which share `mass`.
 *
 * With w = floor + room·x the program is min ½ xᵀHx + cᵀx on the simplex, H = room·G and
 * c = (floor − 1/Lη)·G1 + σ²/2b, after division by Lη²·room.
 */
function minimizer(
  { inner, variance }: Products,
  members: readonly number[],
  mass: number,
  { learningRate, smoothness, batchSize, minWeight }: ProblemOptions,
): { weights: Float64Array; projected: number } {
  const n = members.length;
  const K = variance.length;
  const h = new Float64Array(n * n);
  let unit = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const product = inner![members[i] * K + members[j]] / 2 + inner![members[j] * K + members[i]] / 2;
      if (!Number.isFinite(product)) continue;
      h[i * n + j] = product;
      unit = Math.max(unit, Math.abs(product));
    }
  const dropFaint = () => {
    for (let i = 0; i < n * n; i++) if (Math.abs(h[i]) < FAINT) h[i] = 0;
  };
  for (let i = 0; unit > 0 && i < n * n; i++) h[i] /= unit;
  dropFaint();
  const projected = bound(projectOntoPsd(h, n) * unit);
  dropFaint();

  // Noise that all have moves nothing.
  let least = Infinity;
  let most = -Infinity;
  for (const k of members) {
    least = Math.min(least, variance[k]);
    most = Math.max(most, variance[k]);
  }
  const noiseUnit = unit > 0 ? unit : bound(most - least) || 1;
  const gain = Math.min(FAR, 1 / (smoothness * learningRate));
  // Whichever of the two terms is larger is about 1.
  const divisor = Math.max(1, gain);
  const room = Math.max(mass - n * minWeight, 0);
  const curvature = Math.max(room, 1 / FAR) / divisor;
  const c = new Float64Array(n);
  let lowest = Infinity;
  for (let i = 0; i < n; i++) {
    let total = 0;
    for (let j = 0; j < n; j++) total += h[i * n + j];
    const noise = Math.min(DEAFENING, (variance[members[i]] - least) / noiseUnit);
    c[i] = ((minWeight - gain) / divisor) * total + noise / (2 * batchSize * divisor);
    lowest = Math.min(lowest, c[i]);
  }
  for (let i = 0; i < n; i++) c[i] -= lowest;
  for (let i = 0; i < n * n; i++) h[i] *= curvature;
  const weights = minimizeOnSimplex(h, c).map((x) => minWeight + room * x);
  return { weights, projected };
}

function gramianStep(
  logWeights: Float64Array,
  statistics: Products,
  options: StepOptions & ProblemOptions,
): StepResult {
  const { inner, variance } = statistics;
  const K = logWeights.length;
  if (inner?.length !== K * K)
    throw new PikeError(
      'ERR_SHAPE',
      `rule 'gramian' needs inner, ${K * K} products of the tasks' gradients, but got ${show(inner)}; measure with inner: true.`,
    );
  const isKnown = (k: number) => Number.isFinite(inner[k * K + k]) && Number.isFinite(variance[k]);
  let projected = 0;
  const step = stepToTarget(logWeights, isKnown, options, (members, mass) => {
    const target = minimizer(statistics, members, mass, options);
    projected = target.projected;
    return target.weights;
  });
  return { ...step, projected };
}

/** Of `gramian`. */
export interface GramianOptions extends StatelessOptions {
  /** η: step size. */
  learningRate: number;
  /** L: smoothness of the summed loss. */
  smoothness: number;
}

/** The statistics of K tasks that `gramian` reads. */
export interface GramianStatistics {
  /** G, K×K row-major and symmetric, with N on its diagonal; it need not be positive semidefinite. */
  inner: ArrayLike<number> | null;
  /** σ_k²: variances of the gradients per sample, length K. */
  variance: ArrayLike<number>;
}

/**
 * One update by the Gramian without state: by default the minimising mixture itself, which depends on the statistics
 * alone; with `maxLogStep` or `priorPull` a step from `weights` towards it.
 *
 * @param weights K current weights, a point of the simplex
 * @param statistics `inner` and `variance` of K tasks, finite
 * @returns K weights; of several minimisers the one with the smallest sum of squares
 * @throws PikeError `ERR_SHAPE`, `ERR_NON_FINITE`, `ERR_INVALID_OPTION`
 */
export function gramian(
  weights: ArrayLike<number>,
  statistics: GramianStatistics,
  options: GramianOptions,
): Float64Array {
  const K = statistics?.variance?.length ?? 0;
  const inner = requireFiniteNumbers('inner', statistics?.inner, K * K);
  const normSquared = inner.filter((_, i) => i % (K + 1) === 0);
  const {
    logWeights,
    statistics: checked,
    ...common
  } = checkStateless('gramian', weights, { normSquared, variance: statistics?.variance }, options, [
    'learningRate',
    'smoothness',
  ]);
  let largest = 0;
  for (const product of inner) largest = Math.max(largest, Math.abs(product));
  for (let j = 0; j < K; j++)
    for (let k = 0; k < j; k++)
      if (Math.abs(inner[j * K + k] / 2 - inner[k * K + j] / 2) > 1e-9 * largest)
        throw new PikeError(
          'ERR_SHAPE',
          `inner must be symmetric, but holds ${inner[j * K + k]} at (${j}, ${k}) and ${inner[k * K + j]} at (${k}, ${j}).`,
        );
  const { variance } = checked;
  const step = gramianStep(
    logWeights,
    { inner, variance },
    {
      ...common,
      learningRate: requirePositiveNumber('learningRate', options.learningRate),
      smoothness: requirePositiveNumber('smoothness', options.smoothness),
    },
  );
  return weightsOf(step.logWeights);
}

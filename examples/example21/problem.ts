/**
 * Example 2.1 of Li et al., arXiv 2502.06244, without sampling: expected losses follow an exact recursion.
 *
 * Two tasks, ℓ_k(θ; x) = ½(θᵀe_k)² + x_kᵀθ with x_k ~ N(0, s_k² I₂), trained by SGD on their sum. ∇L_k = θ_k e_k, so that
 * N_k = θ_k², σ_k² = 2 s_k² (s_k² is per coordinate), and the summed loss is smooth with L = 1. A step of length η on b samples
 * mixed by w turns m_k = E θ_k² into
 *
 *     m_k ← (1 − η w_k)² m_k + (η²/b) sum_j w_j s_j²        (eq. 3)
 *
 * and the expected loss is ½ sum_k m_k.
 */
import { conceptual } from 'pike-mixer';

export interface Problem {
  readonly title: string;
  /** m_k before the first step. */
  readonly start: Pair;
  /** η. */
  readonly learningRate: number;
  /** b. */
  readonly batchSize: number;
  /** s_k: deviation of the noise per coordinate. */
  readonly noise: Pair;
}
export type Pair = readonly [number, number];

/** Those of test/golden/example21.json. */
export const PROBLEMS: readonly Problem[] = [
  {
    title: 'One task far from its optimum, equal noise',
    start: [100, 1],
    learningRate: 0.1,
    batchSize: 8,
    noise: [1, 1],
  },
  {
    title: 'Both alike, the second noisier',
    start: [25, 25],
    learningRate: 0.1,
    batchSize: 8,
    noise: [0.5, 2],
  },
  {
    title: 'The far one noisier, long steps',
    start: [100, 4],
    learningRate: 0.5,
    batchSize: 4,
    noise: [1, 0.25],
  },
];
/** The weights of a step, given m_k before it. */
export type Mixture = (moments: Pair, problem: Problem) => Pair;

export interface Step {
  /** The weights of this step. */
  readonly weights: Pair;
  /** m_k after it. */
  readonly moments: Pair;
  /** Expected loss after it. */
  readonly loss: number;
}

/** The minimiser of eq. (9), which for this problem is that of the expected loss after the step: eq. (4). */
export const adaptive: Mixture = (moments, { learningRate, batchSize, noise }) => {
  const variance = noise.map((s) => 2 * s * s);
  const weights = conceptual(
    [0.5, 0.5],
    { normSquared: moments, variance },
    { learningRate, smoothness: 1, batchSize },
  );
  return [weights[0]!, weights[1]!];
};

/** The same weights in every step. */
export const fixed =
  (first: number): Mixture =>
  () => [first, 1 - first];

export function* train(problem: Problem, mixture: Mixture): Generator<Step, never> {
  const { learningRate: eta, batchSize, noise } = problem;
  let moments = problem.start;
  for (;;) {
    const weights = mixture(moments, problem);
    const added = ((eta * eta) / batchSize) * (weights[0] * noise[0] ** 2 + weights[1] * noise[1] ** 2);
    const next = (k: 0 | 1) => (1 - eta * weights[k]) ** 2 * moments[k] + added;
    moments = [next(0), next(1)];
    yield { weights, moments, loss: (moments[0] + moments[1]) / 2 };
  }
}

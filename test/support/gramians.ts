/** Random Gramians of every kind that a rule may meet, as statistics of K tasks. */
import { gaussian } from './gradients.js';

export const GRAMIANS = ['definite', 'noisy', 'singular', 'twins', 'graded', 'zero'] as const;
export type GramianKind = (typeof GRAMIANS)[number];

/**
 * @param kind 'definite': of K + 2 dimensions; 'noisy': with errors that make it indefinite; 'singular': of K/3
 *   dimensions; 'twins': tasks in pairs of the same gradient and noise; 'graded': norms over eight magnitudes; 'zero'
 * @param size what all is multiplied by
 */
export function randomGramian(
  random: () => number,
  K: number,
  kind: GramianKind,
  size = 1,
): { inner: Float64Array; variance: Float64Array } {
  const dimensions = kind === 'singular' ? Math.max(1, Math.floor(K / 3)) : K + 2;
  const common = random() < 0.5 ? 0.1 : 0;
  const vectors = Array.from({ length: K }, () =>
    Array.from({ length: dimensions }, () => gaussian(random) / Math.sqrt(dimensions) + common),
  );
  const alike = random() < 0.3;
  const noise = [0, 1, 10, 100][Math.floor(4 * random())];
  const variance = Float64Array.from(vectors, () => size * (alike ? 1 : noise * random()));
  if (kind === 'graded')
    for (const vector of vectors) {
      const factor = 10 ** (8 * random() - 4);
      vector.forEach((x, i) => {
        vector[i] = factor * x;
      });
    }
  if (kind === 'twins')
    for (let k = 1; k < K; k += 2) {
      vectors[k] = vectors[k - 1];
      variance[k] = variance[k - 1];
    }
  const inner = new Float64Array(K * K);
  if (kind !== 'zero')
    for (let j = 0; j < K; j++)
      for (let k = 0; k <= j; k++) {
        const error = kind === 'noisy' ? 0.3 * gaussian(random) : 0;
        const product = vectors[j].reduce((sum, x, i) => sum + x * vectors[k][i], error);
        inner[j * K + k] = inner[k * K + j] = size * product;
      }
  return { inner, variance };
}

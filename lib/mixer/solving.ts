/** Which updates a backend may solve for along with the sums, and what it needs to know. */
import { MOST_SOLVED_TASKS, type SolvedRule, type WeightUpdate } from '../backends/backend.js';
import { SOLVED_RULES } from '../backends/weight-update.js';
import { decodeLogWeights, initialLogWeights } from '../rules/rule.js';
import { rules } from '../rules/rules.js';
import type { LossAverage } from './measurement.js';
import type { UpdateInput } from './update.js';

/** Null when the rule must be run here: it is none of the built-in ones, or it lacks something and has to say so. */
export function updateToSolve(
  input: UpdateInput,
  losses: LossAverage,
  learningRate: number | undefined,
): WeightUpdate | null {
  const { rule, tasks, significance } = input.options;
  // No launch knows the standard errors of averages.
  if (significance > 0) return null;
  // A rule of one's own may have the name of a built-in one.
  const name = SOLVED_RULES.find((known) => rules[known] === rule);
  if (name === undefined || tasks.length > MOST_SOLVED_TASKS) return null;
  const update = describeUpdate(name, input, losses, learningRate);
  const { options } = update;
  const needsBound = name === 'mirror' || name === 'conceptual';
  if (needsBound && (options.learningRate === undefined || options.smoothness === undefined)) return null;
  return rule.needs.losses && !update.losses ? null : update;
}

/** All that the weights are solved from, beside the sums. */
export function describeUpdate(
  name: SolvedRule,
  { options, rule, smoothing, lossWeights }: UpdateInput,
  losses: LossAverage,
  learningRate: number | undefined,
): WeightUpdate {
  return {
    rule: name,
    options: { ...options, learningRate: learningRate ?? options.learningRate },
    logWeights: decodeLogWeights(rule.logWeights, options.tasks.length),
    lossWeights,
    normSquared: smoothing.normSquared,
    variance: smoothing.variance,
    logPrior: initialLogWeights(options),
    losses: losses.means(),
    excluded: options.tasks.map((_, k) => losses.isBroken(k)),
  };
}

/**
 * The update of a rule that knows where it wants to go: the minimiser itself, or a step of bounded length towards it.
 */
import {
  exponentiatedStep,
  logSumExp,
  onFloor,
  projectOntoFloor,
  type StepOptions,
  type StepResult,
  stay,
} from './simplex.js';

/**
 * With `maxLogStep: Infinity` and `priorPull: 0` the target itself, wherever the weights stand; otherwise a step of
 * the log-weights towards it. A task that is no member keeps its weight, and the members keep their sum.
 *
 * @param isMember whether task k takes part
 * @param targetOf the weights that the members, listed in `members`, are to have if they share `mass`; 0 is legal
 */
export function stepToTarget(
  logWeights: Float64Array,
  isMember: (k: number) => boolean,
  options: StepOptions,
  targetOf: (members: readonly number[], mass: number) => Float64Array,
): StepResult {
  const { minWeight, maxLogStep, priorPull } = options;
  const result = projectOntoFloor(logWeights, minWeight);
  const K = result.length;
  const members = Array.from(result.keys()).filter(isMember);
  const logMass = members.length === K ? 0 : logSumExp(members.map((k) => result[k]));
  const mass = Math.exp(logMass);
  if (!(mass > 0)) return stay(result, minWeight);
  const target = targetOf(members, mass);

  if (maxLogStep === Infinity && priorPull === 0) {
    const exact = projectOntoFloor(target.map(Math.log), minWeight, logMass);
    members.forEach((k, i) => {
      result[k] = exact[i];
    });
    return { logWeights: result, floored: onFloor(result, minWeight), limited: false };
  }
  // A target of 0 counts as the smallest number, and no weight aims further than it may go: one that has far to go
  // would set the direction of all.
  const exponents = new Float64Array(K).fill(Number.NaN);
  let far = false;
  members.forEach((k, i) => {
    exponents[k] = 0;
    if (result[k] === -Infinity) return;
    const move = Math.log(Math.max(target[i], Number.MIN_VALUE)) - result[k];
    if (Math.abs(move) > maxLogStep) far = true;
    exponents[k] = Math.max(-maxLogStep, Math.min(maxLogStep, move));
  });
  const step = exponentiatedStep(result, exponents, options);
  return { ...step, limited: step.limited || far };
}

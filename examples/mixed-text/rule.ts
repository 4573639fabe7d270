import { doremi, type MixerOptions, proportional, rules, temperature } from 'pike-mixer';

/** Everything that `--rule` may be: the rules that the library knows by name, and those made with data. */
export const ruleNames: readonly string[] = [...Object.keys(rules), 'proportional', 'temperature', 'doremi'];

/** Rules built on a bound of the loss after one step. */
const boundRules = ['mirror', 'conceptual', 'gramian'];

/** A rule as the command line names it. */
export interface RuleChoice {
  name: string;
  /** τ of `balanced`. */
  tau: number;
  /** T of `temperature`. */
  temperature: number;
  /** L of `mirror`, `conceptual` and `gramian`; null for 1/η. */
  smoothness: number | null;
}

/** What rules may ask about the problem, by task. */
export interface ProblemFacts {
  learningRate: number;
  /** Bytes of text. */
  sizes: readonly number[];
  /** Losses of a model trained before, on as many samples. */
  referenceLosses: readonly number[];
}

/**
 * Nobody knows the smoothness of this loss. 1/η is where the bound promises most of a step of that size, and half of where
 * plain gradient descent would diverge.
 */
export function ruleOptions(choice: RuleChoice, facts: ProblemFacts): Partial<MixerOptions> {
  const { name } = choice;
  const { learningRate, sizes, referenceLosses } = facts;
  if (name === 'proportional') return { rule: proportional({ sizes }) };
  if (name === 'temperature') return { rule: temperature({ sizes, temperature: choice.temperature }) };
  if (name === 'doremi') return { rule: doremi({ referenceLosses }) };
  if (name === 'balanced') return { rule: name, tau: choice.tau };
  if (boundRules.includes(name))
    return { rule: name, learningRate, smoothness: choice.smoothness ?? 1 / learningRate };
  return { rule: name };
}

/** The rules that a Mixer knows by name. */
import { balancedRule } from './balanced.js';
import { famoRule } from './baselines/famo.js';
import { uniformRule } from './baselines/fixed.js';
import { odmRule } from './baselines/odm.js';
import { randomRule, roundRobinRule } from './baselines/turns.js';
import { conceptualRule } from './conceptual.js';
import { gramianRule } from './gramian.js';
import { mirrorRule } from './mirror.js';
import { pikeRule } from './pike.js';
import type { WeightRule } from './rule.js';

/** The rules that `rule` of the `Mixer` knows by name. Those that need numbers of yours are functions, such as `temperature`. */
export const rules: Readonly<Record<string, WeightRule>> = {
  pike: pikeRule,
  mirror: mirrorRule,
  conceptual: conceptualRule,
  balanced: balancedRule,
  uniform: uniformRule,
  'round-robin': roundRobinRule,
  random: randomRule,
  famo: famoRule,
  odm: odmRule,
  gramian: gramianRule,
};

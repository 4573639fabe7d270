/** The rules that a Mixer knows by name. */
import { balancedRule } from './balanced.js';
import { conceptualRule } from './conceptual.js';
import { gramianRule } from './gramian.js';
import { mirrorRule } from './mirror.js';
import { pikeRule } from './pike.js';
import type { WeightRule } from './rule.js';

export const rules: Readonly<Record<string, WeightRule>> = {
  pike: pikeRule,
  mirror: mirrorRule,
  conceptual: conceptualRule,
  balanced: balancedRule,
  gramian: gramianRule,
};

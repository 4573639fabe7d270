/** The rules that a Mixer knows by name. */
import { pikeRule } from './pike.js';
import type { WeightRule } from './rule.js';

export const rules: Readonly<Record<string, WeightRule>> = { pike: pikeRule };

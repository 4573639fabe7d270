/** The sentence that sums a run up. */
import { expect, it } from 'vitest';
import { type RunSummary, sentenceOf } from '../../lib/report/summary.js';

const summary: RunSummary = {
  run: 'first',
  file: 'first.jsonl',
  rule: 'pike',
  tasks: ['a'],
  batchSize: 1,
  steps: 1,
  updates: 1,
  seconds: 5,
  ended: true,
  finalWeights: { a: 1 },
  finalLosses: null,
  finalLossStep: null,
  mixing: null,
  events: { warnings: 0, missed: 0, retired: 0 },
};

it('tells one from many', () => {
  expect(sentenceOf(summary)).toBe(
    '1 step of 1 sample from 1 task in 5 s; 1 update by pike brought the weights to a 1.',
  );
  const many = { ...summary, tasks: ['a', 'b'], finalWeights: { a: 0.5, b: 0.5 }, batchSize: 64 };
  expect(sentenceOf({ ...many, steps: 2000, updates: 0, rule: null })).toBe(
    '2,000 steps of 64 samples from 2 tasks in 5 s; the weights stayed at a 0.5, b 0.5.',
  );
});

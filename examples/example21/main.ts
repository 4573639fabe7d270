#!/usr/bin/env node
/**
 * Example 2.1 of the paper, exactly: adaptive weights against the best fixed mixture there is, in the transient and at the
 * noise floor. After `npm run build:ts`:
 *
 *     node dist-examples/example21/main.js
 */
import Table from 'cli-table3';
import { compare, excess, type Moment } from './comparison.js';
import { PROBLEMS, type Problem } from './problem.js';

const STEPS = 1000;
const SHOWN = [1, 3, 10, 30, 100, 300, 1000];

const number = (x: number) => x.toPrecision(5);
const share = (x: number) => {
  const percent = Math.abs(100 * x);
  return x === 0
    ? '0'
    : `${x > 0 ? '+' : '−'}${percent < 0.1 ? percent.toFixed(2) : percent.toPrecision(2)} %`;
};

function formatProblem(
  { title, start, learningRate, batchSize, noise }: Problem,
  moments: readonly Moment[],
): string {
  const table = new Table({
    head: ['steps', 'adaptive', 'w_1', 'best static', 'w_1', 'adaptive − best static', 'uniform'],
    colAligns: new Array(7).fill('right'),
    style: { head: [], border: [] },
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
  });
  for (const moment of SHOWN.map((step) => moments[step - 1]!))
    table.push([
      moment.step,
      number(moment.loss),
      moment.weight.toFixed(3),
      number(moment.best.loss),
      moment.best.weight.toFixed(3),
      share(excess(moment)),
      number(moment.uniform),
    ]);
  return [
    `${title}: θ² = (${start.join(', ')}), s = (${noise.join(', ')}), η = ${learningRate}, b = ${batchSize}`,
    table.toString(),
    remark(moments),
  ].join('\n');
}

/** Who wins, and when. */
function remark(moments: readonly Moment[]): string {
  const lost = moments.findIndex((moment) => excess(moment) > 0);
  const last = excess(moments.at(-1)!);
  if (lost < 0)
    return `Adaptive is never above the best static mixture; at the noise floor it is ${last < 0 ? 'below' : 'equal to'} it.`;
  return (
    `Adaptive is never above the best static mixture up to step ${lost}, from step ${lost + 1} on it is.\n` +
    (last > 0
      ? `At the noise floor static wins: adaptive ends ${share(last).slice(1)} above it.`
      : 'At the noise floor they are equal.')
  );
}

function main(): void {
  console.log(
    'Expected loss by eq. (3); adaptive: eq. (4) in every step. "Best static" is, for each number of steps, the mixture',
  );
  console.log(
    'with the lowest loss after just as many, out of 1001, chosen in hindsight: no single one has all of these.\n',
  );
  console.log(PROBLEMS.map((problem) => formatProblem(problem, compare(problem, STEPS))).join('\n\n'));
}

main();

#!/usr/bin/env node
/**
 * Trains one linear model on three tasks by a rule of one's own: one that can be learned, one that is learned from the
 * start, and one that is nothing but noise. Losses are measured on the training batches themselves.
 */
import { Mixer } from 'pike-mixer';
import { learningProgress } from './learning-progress.js';

const inputs = 20;
const learningRate = 0.01;
const targets: Record<string, (x: Float64Array) => number> = {
  learnable: (x) => x.reduce((sum, value, i) => sum + value * Math.sin(i), 0),
  learned: () => 0,
  noise: () => gaussian(),
};
const tasks = Object.keys(targets);

/** The same stream in every run. */
let state = 1;
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 0.5) / 2 ** 32;
}
function gaussian(): number {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

const mixer = new Mixer({
  tasks,
  batchSize: 96,
  rule: learningProgress(),
  minWeight: 0.1,
  updateInterval: 5,
});
// Every task has parameters of its own, as if it lay in a part of the model that the others do not touch.
const model = tasks.map(() => new Float64Array(inputs));
console.log(`step  loss of ${tasks.join(', ')}  weights`);
for (let step = 0; step <= 300; step++) {
  const { due } = mixer;
  const losses: Record<string, number> = {};
  for (const [k, count] of mixer.next().entries()) losses[tasks[k]!] = trainOn(k, count);
  if (due) await mixer.update({ losses });
  if (step % 30 === 0)
    console.log(
      [
        step,
        ...tasks.map((task) => losses[task]!.toFixed(3)),
        ...Array.from(mixer.weights, (w) => w.toFixed(2)),
      ].join('\t'),
    );
}

/** One SGD step on `count` samples of a task; returns their mean loss before it. */
function trainOn(task: number, count: number): number {
  const parameters = model[task]!;
  const gradient = new Float64Array(inputs);
  let loss = 0;
  for (let i = 0; i < count; i++) {
    const x = Float64Array.from({ length: inputs }, gaussian);
    const error = x.reduce((sum, value, j) => sum + value * parameters[j]!, -targets[tasks[task]!]!(x));
    loss += error ** 2 / (2 * count);
    for (let j = 0; j < inputs; j++) gradient[j]! += (error * x[j]!) / mixer.batchSize;
  }
  for (let j = 0; j < inputs; j++) parameters[j]! -= learningRate * gradient[j]!;
  return loss;
}

#!/usr/bin/env node
/**
 * One small language model, trained on text from several sources three times from the same initial weights and on
 * the same number of samples: with a uniform mixture, with a mixture that PiKE decides while training runs, and
 * with one fixed mixture. `--help` tells the rest.
 */
import { Mixer, type MixerOptions, PikeError } from 'pike-mixer';
import { parseArguments, usage } from './arguments.js';
import type { RunResult } from './comparison.js';
import { builtInMixture, type Mixture, userMixture } from './mixtures.js';
import { ByteModel, defaultShape } from './model.js';
import { createProgress } from './progress.js';
import { formatResults } from './results.js';
import { batchSize, learningRate, train } from './train.js';
import { UsageError } from './usage-error.js';
import { startWasm } from './wasm-matmul.js';

/** Rules that need no constant of the problem, which nobody knows here. */
const known = { rules: ['pike', 'balanced'], backends: ['auto', 'cpu', 'cuda', 'reference'] };

async function main(): Promise<void> {
  const given = parseArguments(process.argv.slice(2), known);
  if (given.help) {
    console.log(usage(known));
    return;
  }
  const { context } = defaultShape;
  const mixture =
    given.tasks.length > 0 ? userMixture(given.tasks, context) : builtInMixture(given.mixture, context);
  const { sources } = mixture;
  const tasks = sources.map((source) => source.name);
  const backend = given.backend as NonNullable<MixerOptions['backend']>;
  using tried = new Mixer({ tasks, batchSize, rule: given.rule, backend });
  await startWasm();
  introduce(mixture, tried, given.steps);

  const uniform = tasks.map(() => 1 / tasks.length);
  const mixings = [
    { mixing: 'uniform', weights: uniform, adaptive: false },
    { mixing: given.rule, weights: uniform, adaptive: true },
    { mixing: 'static', weights: mixture.staticWeights, adaptive: false },
  ];
  const progress = createProgress({ runs: mixings.length * given.seeds.length, steps: given.steps });
  const runs: RunResult[] = [];
  try {
    for (const seed of given.seeds)
      for (const mixing of mixings) {
        const log = given.log === null ? null : { path: given.log, append: runs.length > 0 };
        const { steps, rule } = given;
        runs.push(await train({ ...mixing, sources, seed, steps, rule, backend, log }, progress));
      }
  } finally {
    progress.stop();
  }
  console.log(formatResults(runs, tasks));
  if (given.log !== null) console.log(`The runs, event by event: ${given.log}`);
}

function introduce({ sources, staticWeights, staticOrigin }: Mixture, mixer: Mixer, steps: number): void {
  const model = new ByteModel(0);
  const texts = sources.map((source) => `${source.name} (${Math.round(source.trainBytes / 1000)} kB)`);
  const weights = staticWeights.map((weight) => weight.toFixed(2)).join(' / ');
  console.log(`Text: ${texts.join(', ')}.
Model: ${model.parameters} parameters, the next byte from the last ${model.shape.context}; Adam at ${learningRate}; ${steps} steps of ${batchSize} samples.
Static mixture: ${weights}, ${staticOrigin}.
Statistics: ${mixer.backend.name}; ${mixer.backend.reason}.
`);
  model.dispose();
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof PikeError)) throw error;
  console.error(`mixed-text: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

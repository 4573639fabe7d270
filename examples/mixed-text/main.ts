#!/usr/bin/env node
/**
 * One small language model, trained on text from several sources three times from the same initial weights and on
 * the same number of samples: with a uniform mixture, with a mixture that PiKE, or any other rule, decides while training
 * runs, and with one fixed mixture. `--help` tells the rest.
 */
import { Mixer, type MixerOptions, PikeError, proportional } from 'pike-mixer';
import { parseArguments, usage } from './arguments.js';
import { finalLosses, type RunResult } from './comparison.js';
import { builtInMixture, type Mixture, userMixture } from './mixtures.js';
import { createProgress } from './progress.js';
import { formatResults } from './results.js';
import { type RuleChoice, ruleNames, ruleOptions } from './rule.js';
import { startStack, type TextStack } from './stack.js';
import { train } from './train.js';
import { UsageError } from './usage-error.js';

const known = { rules: ruleNames, backends: ['auto', 'cpu', 'cuda', 'reference'] };

async function main(): Promise<void> {
  const given = parseArguments(process.argv.slice(2), known);
  if (given.help) {
    console.log(usage(known));
    return;
  }
  const stack = await startStack(given.stack);
  const { context, batchSize, learningRate } = stack;
  const mixture =
    given.tasks.length > 0 ? userMixture(given.tasks, context) : builtInMixture(given.mixture, context);
  const { sources } = mixture;
  const tasks = sources.map((source) => source.name);
  const backend = given.backend as NonNullable<MixerOptions['backend']>;
  const facts = {
    learningRate,
    sizes: sources.map((source) => source.trainBytes),
    // Until there is a run to refer to.
    referenceLosses: tasks.map(() => 0),
  };
  for (const rule of given.rules)
    new Mixer({ tasks, batchSize, backend: 'reference', ...ruleOptions(rule, facts) }).dispose();
  using tried = new Mixer({ tasks, batchSize, backend });
  introduce(stack, mixture, tried, given.steps);

  const mixings: { mixing: string; weights: number[]; rule: RuleChoice | null }[] = [
    { mixing: 'uniform', weights: tasks.map(() => 1 / tasks.length), rule: null },
    ...given.rules.map((rule) => ({ mixing: labelOf(rule, given.rules), weights: [], rule })),
    { mixing: 'static', weights: mixture.staticWeights, rule: null },
  ].filter(({ mixing, rule }) => rule === null || mixing !== 'uniform');
  const progress = createProgress({ runs: mixings.length * given.seeds.length, steps: given.steps });
  const runs: RunResult[] = [];
  try {
    for (const seed of given.seeds) {
      let { referenceLosses } = facts;
      for (const { mixing, weights, rule } of mixings) {
        const log = given.log === null ? null : { path: given.log, append: runs.length > 0 };
        const { steps } = given;
        const options = rule
          ? ruleOptions(rule, { ...facts, referenceLosses })
          : { rule: proportional({ sizes: weights }) };
        const adaptive = rule !== null;
        const run = { stack, mixing, options, adaptive, sources, seed, steps, backend, log };
        runs.push(await train(run, progress));
        if (mixing === 'uniform') referenceLosses = finalLosses(runs.at(-1)!);
      }
    }
  } finally {
    progress.stop();
  }
  console.log(formatResults(runs, tasks));
  if (given.log !== null) {
    console.log(`The runs, event by event: ${given.log}`);
    console.log(`To look at them: node dist/cli/bin.js report ${given.log}`);
  }
}

/** The rule's name, with what tells it from the others that are run. */
function labelOf({ name, tau }: RuleChoice, all: readonly RuleChoice[]): string {
  return name === 'balanced' && (all.length > 1 || tau !== 1) ? `balanced τ=${tau}` : name;
}

function introduce(
  { model, learningRate, batchSize }: TextStack,
  { sources, staticWeights, staticOrigin }: Mixture,
  mixer: Mixer,
  steps: number,
): void {
  const texts = sources.map((source) => `${source.name} (${Math.round(source.trainBytes / 1000)} kB)`);
  const weights = staticWeights.map((weight) => weight.toFixed(2)).join(' / ');
  console.log(`Text: ${texts.join(', ')}.
Model: ${model}; Adam at ${learningRate}; ${steps} steps of ${batchSize} samples.
Static mixture: ${weights}, ${staticOrigin}.
Statistics: ${mixer.backend.name}; ${mixer.backend.reason}.
`);
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError || error instanceof PikeError)) throw error;
  console.error(`mixed-text: ${error.message}`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}

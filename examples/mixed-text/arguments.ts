import { parseArgs } from 'node:util';
import { type MixtureName, mixtureNames } from './mixtures.js';
import type { RuleChoice } from './rule.js';
import { type StackName, stackNames } from './stack.js';
import { UsageError } from './usage-error.js';

export interface Arguments {
  help: boolean;
  stack: StackName;
  steps: number;
  /** The seeds to run with, one after the other. */
  seeds: number[];
  /** The rules to compare with the uniform mixture: one, or `balanced` once for every τ. */
  rules: RuleChoice[];
  backend: string;
  log: string | null;
  mixture: MixtureName;
  /** The user's own text; empty when a built-in mixture is used. */
  tasks: { name: string; path: string }[];
}

/** A step of the transformer takes several times as long. */
export const defaultSteps: Readonly<Record<StackName, number>> = { tfjs: 1000, jax: 300 };

export function usage(known: { rules: readonly string[]; backends: readonly string[] }): string {
  return `Trains a byte-level language model on text from several sources three times (uniform mixture, a rule's,
one static mixture) and compares what it has learned.

  --stack NAME        what trains: tfjs, a network of one hidden layer (default), or jax, a small transformer
  --steps N           training steps of each run (default ${defaultSteps.tfjs}; with jax ${defaultSteps.jax})
  --seed N            first seed (default 1)
  --seeds N           how many seeds, for mean ± standard error (default 1)
  --rule NAME         the rule that moves the weights, by default pike:
                      ${known.rules.join(', ')}
  --tau T             of balanced; several, such as 1,3,5, are run one after the other (default 1)
  --temperature T     of temperature (default 5)
  --smoothness L      of mirror, conceptual and gramian (default 1/η)
  --backend NAME      where statistics are computed: ${known.backends.join(', ')} (default auto)
  --log FILE          write the runs as JSON Lines
  --mixture NAME      built-in sources: ${mixtureNames.join(', ')} (default default)
  --task NAME=PATH    your own text, a file or a folder, as task NAME; give two or more
  --help              this text`;
}

/**
 * @param known the names that --rule and --backend may have
 * @throws UsageError one line that says what was wrong and what was expected
 */
export function parseArguments(
  argv: readonly string[],
  known: { rules: readonly string[]; backends: readonly string[] },
): Arguments {
  const values = parseFlags(argv);
  const seed = wholeNumber('--seed', values.seed, 1, 0);
  const seeds = wholeNumber('--seeds', values.seeds, 1, 1);
  const tasks = (values.task ?? []).map(parseTask);
  if (tasks.length === 1)
    throw new UsageError(
      '--task was given once: mixing needs two tasks or more, each with its own --task NAME=PATH',
    );
  const names = tasks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new UsageError(`--task ${twice} was given twice: every task needs its own name`);
  if (tasks.length > 0 && values.mixture !== undefined)
    throw new UsageError('--mixture and --task were both given: choose built-in sources or your own');
  const stack = oneOf('--stack', values.stack ?? 'tfjs', stackNames);
  return {
    help: values.help ?? false,
    stack,
    steps: wholeNumber('--steps', values.steps, defaultSteps[stack], 1),
    seeds: Array.from({ length: seeds }, (_, i) => seed + i),
    rules: parseRules(oneOf('--rule', values.rule ?? 'pike', known.rules), values),
    backend: oneOf('--backend', values.backend ?? 'auto', known.backends),
    log: values.log ?? null,
    mixture: oneOf('--mixture', values.mixture ?? 'default', mixtureNames),
    tasks,
  };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        stack: { type: 'string' },
        steps: { type: 'string' },
        seed: { type: 'string' },
        seeds: { type: 'string' },
        rule: { type: 'string' },
        tau: { type: 'string' },
        temperature: { type: 'string' },
        smoothness: { type: 'string' },
        backend: { type: 'string' },
        log: { type: 'string' },
        mixture: { type: 'string' },
        task: { type: 'string', multiple: true },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    // Node's own words, its first sentence: the rest explains positional arguments, of which there are none.
    throw new UsageError(`${(error as Error).message.split(/\.\s|\n/)[0]}; see --help`);
  }
}

function wholeNumber(flag: string, text: string | undefined, preset: number, least: number): number {
  if (text === undefined) return preset;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= least && Number.isSafeInteger(value)) return value;
  throw new UsageError(`${flag} must be a whole number of at least ${least}, but is '${text}'`);
}

function parseRules(
  name: string,
  given: { tau?: string; temperature?: string; smoothness?: string },
): RuleChoice[] {
  const owners = {
    tau: ['balanced'],
    temperature: ['temperature'],
    smoothness: ['mirror', 'conceptual', 'gramian'],
  };
  for (const [flag, rules] of Object.entries(owners))
    if (given[flag as keyof typeof owners] !== undefined && !rules.includes(name))
      throw new UsageError(`--${flag} is for --rule ${rules.join(' or ')}, but the rule is '${name}'`);
  const temperature = positiveNumber('--temperature', given.temperature ?? '5');
  const smoothness = given.smoothness === undefined ? null : positiveNumber('--smoothness', given.smoothness);
  const taus = (given.tau ?? '1').split(',').map((text) => positiveNumber('--tau', text));
  return [...new Set(taus)].map((tau) => ({ name, tau, temperature, smoothness }));
}

function positiveNumber(flag: string, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new UsageError(`${flag} must be a number above 0, but is '${text}'`);
}

function oneOf<T extends string>(flag: string, value: string, names: readonly T[]): T {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new UsageError(`${flag} must be one of ${names.join(', ')}, but is '${value}'`);
}

function parseTask(text: string): { name: string; path: string } {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return { name: text.slice(0, at), path: text.slice(at + 1) };
  throw new UsageError(`--task must be NAME=FILE_OR_FOLDER, but is '${text}'`);
}

/** The options of a replayed run: those of the log, and what is to be changed. */
import { PikeError } from '../errors.js';
import { Mixture } from '../mixer/mixture.js';
import { type MixerOptions, type ResolvedOptions, resolveOptions } from '../mixer/options.js';
import { doremi } from '../rules/baselines/doremi.js';
import { famo } from '../rules/baselines/famo.js';
import { proportional, temperature } from '../rules/baselines/fixed.js';
import { odm } from '../rules/baselines/odm.js';
import { initialState } from '../rules/own-rules.js';
import type { Json, RuleDefaults, WeightRule } from '../rules/rule.js';
import { rules } from '../rules/rules.js';
import { refuseUnknown, show } from '../validate.js';
import type { StartEvent } from './events.js';

/** Options that can be changed without measuring anew. */
export const replayable = [
  'rule',
  'initialWeights',
  'batchSize',
  'updateInterval',
  'zeta1',
  'zeta2',
  'scale',
  'minWeight',
  'maxLogStep',
  'priorPull',
  'smoothing',
  'clipNorms',
  'significance',
  'tau',
  'lossScale',
  'learningRate',
  'smoothness',
  'alpha',
  'beta',
  'gamma',
  'seed',
] as const satisfies readonly (keyof MixerOptions)[];

/** What to change; the options mean what they mean to a Mixer. */
export type ReplayChanges = Partial<Pick<MixerOptions, (typeof replayable)[number]>>;

/**
 * An option that stands in the log with its default is taken as one that was not given: it follows what it derives from.
 *
 * @throws PikeError `ERR_INVALID_OPTION` for a change that a Mixer would refuse, a smaller `updateInterval`, a rule that needs inner
 *   products where none were measured, or a rule of the user's own that was not passed; `ERR_RUN_LOG` when the log itself holds
 *   options that no Mixer can have had
 */
export function replayedOptions(start: StartEvent, changes: ReplayChanges): ResolvedOptions {
  refuseUnknown('replay', changes, replayable);
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
  const { options } = start;
  const logged = loggedOptions(start);
  const asked = changes.rule ?? loggedRule(start);
  // What is no rule is refused with the other options.
  const rule = typeof asked === 'string' && Object.hasOwn(rules, asked) ? rules[asked] : asked;
  if (typeof rule === 'object' && rule.needs?.inner && !options.inner)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `rule '${rule.name}' needs inner products, which were not measured in run ${show(start.run)}: a Mixer measures them with inner: true.`,
    );
  const left = typeof rule === 'object' ? leftToDefaults(logged, rule, given) : {};
  const resolved = resolveOptions({ ...logged, ...left, ...given, rule } as MixerOptions);
  if (resolved.updateInterval < options.updateInterval!)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `updateInterval cannot be ${resolved.updateInterval}: the log has a measurement every ${options.updateInterval} steps, and there is ` +
        'nothing in between. A larger one can be replayed, which leaves measurements out.',
    );
  return resolved;
}

type LoggedOptions = Omit<MixerOptions, 'rule'> & { rule: string };

/** @throws PikeError `ERR_RUN_LOG` when they are none: nothing that is asked of the replay is to blame then */
function loggedOptions({ options, tasks, run }: StartEvent): LoggedOptions {
  const maxLogStep = options.maxLogStep === 'Infinity' ? Infinity : options.maxLogStep;
  const logged: LoggedOptions = { ...options, maxLogStep };
  const damaged = (why: string, cause?: unknown) =>
    new PikeError('ERR_RUN_LOG', `The options in the start line of run ${show(run)} cannot be used: ${why}`, {
      cause,
    });
  const unset = Object.entries(options).find(([, value]) => value === null);
  if (unset) throw damaged(`${unset[0]} is null.`);
  if (JSON.stringify(options.tasks) !== JSON.stringify(tasks))
    throw damaged('their tasks are not those of the run.');
  const { rule } = options;
  try {
    new Mixture(
      resolveOptions({ ...logged, rule: Object.hasOwn(rules, rule) ? rules[rule] : anyRule(rule) }),
    );
  } catch (cause) {
    throw damaged((cause as Error).message, cause);
  }
  return logged;
}

/** In the place of a rule that only the user's program knows: it asks nothing of the options. */
function anyRule(name: string): WeightRule {
  return {
    name,
    needs: {},
    heedsSignificance: true,
    init: (_, options) => initialState(options),
    update: (state) => ({ state }),
  };
}

/** Logged options that do not hold for what was changed, as undefined. */
function leftToDefaults(
  logged: LoggedOptions,
  rule: WeightRule,
  given: Record<string, unknown>,
): Partial<Record<keyof MixerOptions, undefined>> {
  const left: Partial<Record<keyof MixerOptions, undefined>> = {};
  if (given.zeta1 !== undefined && logged.zeta2 === 0.1 * logged.zeta1!) left.zeta2 = undefined;
  if (rule.name === logged.rule) return left;
  const before = ruleDefaults(logged.rule);
  const usual = { minWeight: 0.5 / logged.tasks.length, maxLogStep: 0.3, priorPull: 0.05 };
  for (const key of ['minWeight', 'maxLogStep', 'priorPull'] as const)
    if (logged[key] === (before[key] ?? usual[key])) left[key] = undefined;
  if (!rule.heedsSignificance) left.significance = undefined;
  if (HAVE_WEIGHTS_OF_THEIR_OWN.includes(rule.name)) left.initialWeights = undefined;
  return left;
}

const HAVE_WEIGHTS_OF_THEIR_OWN = ['uniform', 'proportional', 'temperature'];

function ruleDefaults(name: string): RuleDefaults {
  const known = Object.hasOwn(rules, name) ? rules[name] : undefined;
  return known?.defaults ?? (Object.hasOwn(makers, name) ? { minWeight: 0 } : {});
}

type Parameters = { readonly [key: string]: Json };

/** Rules that keep what they were made with in their state. */
const makers: Readonly<Record<string, (parameters: Parameters) => WeightRule>> = {
  odm: (parameters) => odm(parameters),
  famo: (parameters) => famo(parameters),
  doremi: (parameters) => doremi(parameters as never),
  proportional: (parameters) => proportional(parameters as never),
  temperature: (parameters) =>
    temperature({ sizes: parameters.sizes as number[], temperature: Number(parameters.temperature) }),
};

/**
 * The rule that a run was mixed by.
 *
 * @throws PikeError `ERR_INVALID_OPTION` when it is one of the user's own
 */
export function loggedRule({ options, state, run }: StartEvent): WeightRule {
  const name = options.rule;
  const parameters = (state?.rule as { parameters?: Parameters } | undefined)?.parameters;
  if (parameters && Object.hasOwn(makers, name)) return makers[name](parameters);
  if (Object.hasOwn(rules, name)) return rules[name];
  throw new PikeError(
    'ERR_INVALID_OPTION',
    `Run ${show(run)} was mixed by rule ${show(name)}, which is none of this library's by name: the log does not say what it does. Replay ` +
      "with another rule, or in a program: replay(run, { rule }) with the rule's own object.",
  );
}

export function nameOf(rule: string | WeightRule): string {
  return typeof rule === 'string' ? rule : rule.name;
}

/** As one would write them on the command line. */
export function sayChanges(changes: ReplayChanges): string {
  const said = Object.entries(changes).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${sayValue(name, value)}`],
  );
  return said.length > 0 ? said.join(', ') : 'as logged';
}

function sayValue(name: string, value: unknown): string {
  if (name === 'rule') return nameOf(value as string | WeightRule);
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.values(value).join('/');
}

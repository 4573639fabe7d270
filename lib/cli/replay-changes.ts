/** What `pike-mixer replay` is told to change: as lists that are tried in all combinations, and as whole sets. */
import { type ReplayChanges, replayable } from '../monitor/replay-options.js';
import { CommandFailure, EXIT } from './exit-codes.js';

type Name = (typeof replayable)[number];
type Changes = Record<string, unknown>;

/** More than anybody reads: a slip, such as lists of hundreds of values each. */
const MOST_SETS = 1000;

const WORDS: ReadonlySet<Name> = new Set<Name>(['rule', 'scale', 'lossScale']);
const INTEGERS: ReadonlySet<Name> = new Set<Name>(['batchSize', 'updateInterval', 'seed']);

/** 'minWeight' as '--min-weight'. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** For the help. */
export const MEANINGS: Readonly<Record<Name, string>> = {
  rule: 'by name: pike, mirror, conceptual, balanced, gramian, odm, …',
  initialWeights: 'starting weights and prior, one per task',
  batchSize: 'b: samples per batch, as far as noise is divided by it',
  updateInterval: 'T0: steps between two updates, not below the logged',
  zeta1: 'ζ1: how fast weights follow norms',
  zeta2: 'ζ2: how much noise counts against a task',
  scale: 'relative or absolute',
  minWeight: 'smallest weight',
  maxLogStep: 'largest move of a log-weight in one update; may be Infinity',
  priorPull: 'λ: pull towards the starting weights',
  smoothing: 'β of the averages over updates',
  clipNorms: 'whether smoothed norms below 0 count as 0',
  significance: 'standard errors that a difference must exceed',
  tau: 'τ of balanced',
  lossScale: "mean or paper, of balanced's loss weights",
  learningRate: 'η, in place of every logged one',
  smoothness: 'L of mirror, conceptual and gramian',
  alpha: 'α: rate of mirror',
  beta: 'β of the conflict bound',
  gamma: 'γ of the conflict bound',
  seed: 'of rules that draw random numbers',
};

/** What a list of the option may hold, for the help. */
export function valuesOf(name: Name): string {
  if (name === 'initialWeights') return '<w/w/…,…>';
  if (name === 'clipNorms') return '<true,false>';
  return WORDS.has(name) ? '<names>' : '<numbers>';
}

/**
 * @param lists values of each option, separated by commas: every combination is tried
 * @param sets whole sets, as 'zeta1=0.1,smoothing=0.5': each is tried with every combination of the lists
 * @throws CommandFailure when they say what cannot be
 */
export function changesToTry(
  lists: Readonly<Record<string, string>>,
  sets: readonly string[],
): ReplayChanges[] {
  let combinations: Changes[] = sets.length > 0 ? sets.map(parseSet) : [{}];
  for (const [name, list] of Object.entries(lists)) {
    if (combinations.some((set) => name in set))
      throw usage(`${flagOf(name)} and a --set both say what ${name} is to be`);
    const values = list.split(',').map((text) => parseValue(name as Name, text, flagOf(name)));
    if (combinations.length * values.length > MOST_SETS)
      throw usage(`that makes more than ${MOST_SETS} sets of parameters to try`);
    combinations = combinations.flatMap((set) => values.map((value) => ({ ...set, [name]: value })));
  }
  return combinations as ReplayChanges[];
}

function parseSet(text: string): Changes {
  const set: Changes = {};
  for (const part of text.split(',')) {
    const [key, value, more] = part.split('=');
    const name = replayable.find((known) => known === key.trim() || flagOf(known) === `--${key.trim()}`);
    if (value === undefined || more !== undefined || name === undefined)
      throw usage(
        `--set takes name=value,name=value with names among ${replayable.join(', ')}; it cannot take '${part}'`,
      );
    if (name in set) throw usage(`--set '${text}' names ${name} twice`);
    set[name] = parseValue(name, value, `--set ${name}`);
  }
  return set;
}

function parseValue(name: Name, text: string, where: string): unknown {
  const value = text.trim();
  if (value === '') throw usage(`${where} lacks a value`);
  if (WORDS.has(name)) return value;
  if (name === 'clipNorms') {
    if (value === 'true' || value === 'false') return value === 'true';
    throw usage(`${where} must be true or false, but is '${value}'`);
  }
  if (name === 'initialWeights') return value.split('/').map((weight) => number(weight, where));
  const parsed = number(value, where);
  if (INTEGERS.has(name) && !Number.isSafeInteger(parsed))
    throw usage(`${where} must be an integer, but is '${value}'`);
  return parsed;
}

function number(text: string, where: string): number {
  const value = Number(text);
  if (text.trim() !== '' && !Number.isNaN(value)) return value;
  throw usage(`${where} must be a number, but is '${text}'`);
}

function usage(message: string): CommandFailure {
  return new CommandFailure(EXIT.usage, message);
}

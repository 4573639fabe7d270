/** Whether a line of a run log is what it says it is: enough of it that nobody stumbles over what is missing. */
import { type EventName, LOG_VERSION } from './events.js';

type Line = Readonly<Record<string, unknown>>;
/** Checks a field's value, given the names of the run's tasks. */
type Check = (value: unknown, tasks: readonly string[]) => boolean;

const text: Check = (value) => typeof value === 'string';
const texts: Check = (value) => Array.isArray(value) && value.every((x) => typeof x === 'string');
const number: Check = (value) => typeof value === 'number';
const numberOrNull: Check = (value) => value === null || typeof value === 'number';
const truth: Check = (value) => typeof value === 'boolean';
const object: Check = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const orNull =
  (check: Check): Check =>
  (value, tasks) =>
    value === null || check(value, tasks);
const optional =
  (check: Check): Check =>
  (value, tasks) =>
    value === undefined || check(value, tasks);

const byTask =
  (check: Check): Check =>
  (value, tasks) => {
    if (!object(value, tasks)) return false;
    for (const task of tasks) if (!check((value as Line)[task], tasks)) return false;
    return true;
  };
const numbers =
  (length: (tasks: number) => number): Check =>
  (value, tasks) =>
    Array.isArray(value) &&
    value.length === length(tasks.length) &&
    value.every((x) => numberOrNull(x, tasks));
const perTask = numbers((K) => K);
const perPair = numbers((K) => K * K);
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value, tasks) =>
    object(value, tasks) &&
    Object.entries(fields).every(([name, check]) => check((value as Line)[name], tasks));

const statistics = shape({
  tasks: (value, tasks) => value === tasks.length,
  microBatches: perTask,
  samples: perTask,
  normSquared: perTask,
  variance: perTask,
  inner: orNull(perPair),
  standardError: orNull(shape({ normSquared: perTask, variance: perTask })),
});

const conflict = shape({
  cosine: perPair,
  conflict: number,
  alignment: number,
  beta: numberOrNull,
  gamma: number,
  boundHolds: truth,
  uncertain: truth,
});

/** The fields of every event beside those that all have. */
export const eventFields: Readonly<Record<EventName, Readonly<Record<string, Check>>>> = {
  start: {
    format: optional(text),
    version: optional(number),
    time: optional(text),
    versions: shape({ pikeMixer: text, node: text }),
    tasks: (value) => texts(value, []) && (value as string[]).length >= 2,
    options: shape({ tasks: texts, rule: text, batchSize: number }),
    backend: shape({ name: text, reason: text }),
    weights: byTask(number),
    state: optional(shape({ pending: (value) => Array.isArray(value) })),
    about: object,
  },
  step: { counts: byTask(number), weights: byTask(number), loss: optional(numberOrNull) },
  update: {
    weights: byTask(number),
    previous: byTask(number),
    lossWeights: byTask(number),
    losses: orNull(byTask(numberOrNull)),
    learningRate: optional(numberOrNull),
    mixingSeconds: number,
    statistics,
    smoothed: statistics,
    conflict: orNull(conflict),
    missed: (value, tasks) => Array.isArray(value) && value.every((miss) => isMiss(miss, tasks)),
    retired: texts,
    clipped: texts,
    floored: texts,
    held: texts,
    heterogeneity: numberOrNull,
    limited: truth,
    projected: number,
    passedOver: number,
  },
  evaluation: { losses: byTask(numberOrNull) },
  skip: { task: text, reason: text },
  retire: { task: text, weights: optional(byTask(number)) },
  warning: { code: text, message: text },
  end: { weights: byTask(number) },
};

const isMiss = shape({ task: text, reason: text });

/** What every line has. */
export const lineFields = ['event', 'run', 'step', 'seconds'] as const;

/** Those that take fields of the caller's. */
const OPEN_EVENTS: ReadonlySet<string> = new Set<EventName>(['step', 'end']);

/** The first of an event's fields that is not what it should be; null when all are. */
export function brokenField(line: Line, event: EventName, tasks: readonly string[]): string | null {
  const fields = eventFields[event];
  for (const name in fields) if (!fields[name](line[name], tasks)) return name;
  return null;
}

/** Fields that this release does not know, and nobody was free to add. */
export function unknownFields(line: Line, event: EventName): string[] {
  if (OPEN_EVENTS.has(event)) return [];
  return Object.keys(line).filter(
    (name) => !Object.hasOwn(eventFields[event], name) && !(lineFields as readonly string[]).includes(name),
  );
}

/** Whether a line has what every line has. */
export function isLine(value: unknown): value is Line & { event: string; run: string; step: number } {
  const line = value as Line | null;
  return (
    typeof line === 'object' &&
    line !== null &&
    typeof line.event === 'string' &&
    typeof line.run === 'string' &&
    Number.isSafeInteger(line.step) &&
    typeof line.seconds === 'number'
  );
}

/** The version of the format that a start line is of. */
export function versionOf(start: Line): unknown {
  return start.version === undefined ? 1 : start.version;
}

export function isReadable(version: unknown): boolean {
  return typeof version === 'number' && version >= 1 && version <= LOG_VERSION;
}

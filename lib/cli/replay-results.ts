/** What `pike-mixer replay` says of its replays: a table, or a document for programs. */
import type { ByTask } from '../monitor/events.js';
import type { LoggedRun } from '../monitor/logged-run.js';
import { largestMove, type Replay } from '../monitor/replay.js';
import { nameOf, sayChanges } from '../monitor/replay-options.js';
import { short, table } from './table.js';
import { printable } from './text.js';

/** More columns than that wrap on most terminals; the document has all. */
const MOST_TASKS = 8;
/** Weights that are computed again are the same but for rounding. */
const SAME = 1e-9;

export function describeReplays(run: LoggedRun, logged: Replay | null, replays: readonly Replay[]): string {
  const tasks = tasksToShow(run, replays);
  const hidden = run.tasks.length - tasks.length;
  const last = finalWeights(run);
  const rows = [
    [
      `logged (${run.start.options.rule})`,
      ...weightsOf(tasks, last),
      '',
      '',
      percent(largestMove(run.updates, run.tasks)),
      `${run.updates.length}`,
    ],
    ...replays.map(({ changes, weights, distance: { mean, largest }, largestMove: move, updates }) => [
      sayChanges(changes),
      ...weightsOf(tasks, weights),
      percent(mean),
      percent(largest),
      percent(move),
      `${updates}`,
    ]),
  ];
  const head = ['', ...tasks, 'mean distance', 'largest', 'largest move', 'updates'];
  return [
    `${printable(run.label)}: weights after the last update\n\n`,
    table(head, rows, head.map((_, i) => i).slice(1)),
    hidden > 0 ? `\n${hidden} tasks of which the weights differ least are left out; --json has all.\n` : '',
    '\nDistance: share of the batch that goes to other tasks than as logged, over all updates. Move: the same between two updates.\n',
    logged ? sayLogged(logged) : '',
    ...replays.map(sayWarnings),
  ].join('');
}

function sayLogged({ deviation }: Replay): string {
  return deviation <= SAME
    ? `Replayed as logged, all weights come out again${deviation > 0 ? `, to within ${short(deviation)}` : ', to the last bit'}.\n`
    : `Replayed as logged, weights differ from the logged ones by up to ${short(deviation)}: something else than this rule and these options ` +
        'moved them, such as a rule of your own under the name of another, or the log was changed. Distances hold all of that.\n';
}

function sayWarnings({ changes, run }: Replay): string {
  const codes = [...new Set(run.warnings.map(({ code }) => code))];
  const first = (code: string) => run.warnings.find((warning) => warning.code === code)!.step;
  if (codes.length === 0) return '';
  return `${printable(sayChanges(changes))}: ${codes.map((code) => `${code} from step ${first(code)}`).join(', ')}\n`;
}

/** Those whose weights differ most, in their order. */
function tasksToShow(run: LoggedRun, replays: readonly Replay[]): readonly string[] {
  if (run.tasks.length <= MOST_TASKS) return run.tasks;
  const last = finalWeights(run);
  const most = (task: string) =>
    Math.max(0, ...replays.map(({ weights }) => Math.abs(weights[task] - last[task])));
  const shown = [...run.tasks].sort((a, b) => most(b) - most(a)).slice(0, MOST_TASKS);
  return run.tasks.filter((task) => shown.includes(task));
}

function finalWeights({ history, start }: LoggedRun): ByTask {
  const withWeights = history.filter((event) => 'weights' in event && event.weights !== undefined);
  return (withWeights.at(-1) as { weights?: ByTask } | undefined)?.weights ?? start.weights;
}

const weightsOf = (tasks: readonly string[], weights: ByTask) =>
  tasks.map((task) => weights[task].toFixed(4));
const percent = (share: number) => `${(100 * share).toFixed(2)} %`;

/** For `--json`; the same fields for every replay. */
export function toDocument(run: LoggedRun, logged: Replay | null, replays: readonly Replay[]) {
  return {
    run: run.label,
    tasks: run.tasks,
    logged: {
      weights: finalWeights(run),
      largestMove: largestMove(run.updates, run.tasks),
      updates: run.updates.length,
      /** Largest difference of a weight when replayed as logged; null when that is not possible. */
      deviation: logged?.deviation ?? null,
      trajectory: trajectoryOf(run),
    },
    replays: replays.map((each) => ({
      name: sayChanges(each.changes),
      changes: plainChanges(each),
      options: each.run.start.options,
      weights: each.weights,
      distance: each.distance,
      deviation: each.deviation,
      largestMove: each.largestMove,
      updates: each.updates,
      warnings: each.run.warnings.map(({ step, code }) => ({ step, code })),
      trajectory: trajectoryOf(each.run),
    })),
    notices: [...run.notices, ...new Set([logged, ...replays].flatMap((each) => each?.notices ?? []))],
  };
}

function trajectoryOf(run: LoggedRun) {
  return run.updates.map(({ step, weights, lossWeights }) => ({ step, weights, lossWeights }));
}

/** As JSON can say them. */
function plainChanges({ changes }: Replay): Record<string, unknown> {
  const { rule, maxLogStep, ...rest } = changes;
  return {
    ...(rule === undefined ? {} : { rule: nameOf(rule) }),
    ...(maxLogStep === undefined ? {} : { maxLogStep: maxLogStep === Infinity ? 'Infinity' : maxLogStep }),
    ...rest,
  };
}

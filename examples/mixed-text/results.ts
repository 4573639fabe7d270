import Table from 'cli-table3';
import { finalLosses, mean, type RunResult, range, samplesToReach, standardError } from './comparison.js';

/**
 * The table of all runs, a column per way of mixing (the first is the one the others are compared with), and
 * below it in words what changed. It says what happened, whichever way it went.
 */
export function formatResults(runs: readonly RunResult[], tasks: readonly string[]): string {
  const mixings = [...new Set(runs.map((run) => run.mixing))];
  const base = mixings[0]!;
  const of = (mixing: string) => runs.filter((run) => run.mixing === mixing);
  const baseOf = (run: RunResult) => of(base).find(({ seed }) => seed === run.seed)!;
  const difference = (run: RunResult) => mean(finalLosses(run)) - mean(finalLosses(baseOf(run)));

  const table = new Table({ head: ['held-out loss', ...mixings], style: { head: [], border: [] } });
  const row = (title: string, cell: (mixing: string) => string) => table.push([title, ...mixings.map(cell)]);
  const average =
    (value: (run: RunResult) => number, digits = 3) =>
    (mixing: string) =>
      formatMean(of(mixing).map(value), digits);
  for (const [k, task] of tasks.entries())
    row(
      task,
      average((run) => finalLosses(run)[k]!),
    );
  row(
    'mean',
    average((run) => mean(finalLosses(run))),
  );
  row(
    'highest − lowest, in the end',
    average((run) => spreadOf(run).last),
  );
  row(
    '… at first, and at most',
    (mixing) =>
      `${average((run) => spreadOf(run).first)(mixing)}, ${average((run) => spreadOf(run).most)(mixing)}`,
  );
  row(`mean − ${base}'s`, (mixing) =>
    mixing === base ? '' : formatMean(of(mixing).map(difference), 4, true),
  );
  row(`samples to ${base}'s mean`, (mixing) =>
    formatSamples(of(mixing), (run) => mean(finalLosses(baseOf(run)))),
  );
  row('final weights', (mixing) =>
    tasks.map((_, k) => mean(of(mixing).map((run) => run.weights[k]!)).toFixed(2)).join(' / '),
  );
  row(
    'seconds',
    average((run) => run.cost.seconds, 1),
  );
  row('mixing itself', (mixing) => formatShare(of(mixing), (run) => run.cost.mixing));
  row('extra passes to measure', (mixing) => formatShare(of(mixing), (run) => run.cost.extraPasses));

  const remarks = mixings.slice(1).map((mixing) => {
    const changes = tasks.map((_, k) =>
      mean(of(mixing).map((run) => finalLosses(run)[k]! - finalLosses(baseOf(run))[k]!)),
    );
    return formatRemark(mixing, base, mean(of(mixing).map(difference)), tasks, changes);
  });
  const costs = mixings.slice(1).flatMap((mixing) => formatCost(mixing, of(mixing)));
  const seeds = of(base).length;
  const legend =
    "Nats per byte on text kept out of training, of the weights' running average (decay .98); lower is better." +
    (seeds > 1 ? ` Mean ± standard error over ${seeds} seeds.` : '');
  return [legend, table.toString(), ...remarks, ...formatSpreads(mixings, of), ...costs].join('\n');
}

/** Where the time of mixing went, for the runs that measured. */
function formatCost(mixing: string, runs: readonly RunResult[]): string[] {
  const seconds = mean(runs.map((run) => run.cost.seconds));
  const percent = (of: (run: RunResult) => number) => ((100 * mean(runs.map(of))) / seconds).toFixed(2);
  if (runs.every((run) => run.cost.parts.observe === 0)) return [];
  const parts = (['next', 'draw', 'observe', 'update'] as const).map(
    (part) => `${part} ${percent((run) => run.cost.parts[part])} %`,
  );
  return [
    `${mixing}: mixing itself took ${percent((run) => run.cost.mixing)} % of the time (${parts.join(', ')}), ` +
      `the extra passes of measuring ${percent((run) => run.cost.extraPasses)} %.`,
  ];
}

/** How far apart the tasks' losses lay: before training, at most, and in the end. */
function spreadOf(run: RunResult): { first: number; most: number; last: number } {
  const spreads = run.evaluations.map(({ losses }) => range(losses));
  return { first: spreads[0]!, most: Math.max(...spreads), last: spreads.at(-1)! };
}

/** What Balanced-PiKE is for, in a line for every τ. */
function formatSpreads(mixings: readonly string[], of: (mixing: string) => RunResult[]): string[] {
  const digits = (mixing: string, part: 'first' | 'most' | 'last') =>
    mean(of(mixing).map((run) => spreadOf(run)[part])).toFixed(3);
  return mixings
    .filter((mixing) => mixing.startsWith('balanced'))
    .map(
      (mixing) =>
        `${mixing}: highest − lowest task loss ${digits(mixing, 'first')} at first, ${digits(mixing, 'most')} at most, ` +
        `${digits(mixing, 'last')} in the end (${mixings[0]}: ${digits(mixings[0]!, 'last')}).`,
    );
}

function formatMean(values: readonly number[], digits: number, signed = false): string {
  const center = mean(values);
  const error = standardError(values);
  const text = signed ? formatSigned(center, digits) : center.toFixed(digits);
  return error === null ? text : `${text} ± ${error.toFixed(digits)}`;
}

function formatSigned(value: number, digits: number): string {
  return (value > 0 ? '+' : '') + value.toFixed(digits);
}

/** The mean over the seeds that got there, as a number and as a share of what the run had. */
function formatSamples(runs: readonly RunResult[], target: (run: RunResult) => number): string {
  const reached = runs.flatMap((run) => {
    const samples = samplesToReach(run, target(run));
    return samples === null ? [] : [{ samples, share: samples / run.evaluations.at(-1)!.samples }];
  });
  if (reached.length === 0) return 'not reached';
  const samples = Math.round(mean(reached.map((each) => each.samples)));
  const share = Math.round(100 * mean(reached.map((each) => each.share)));
  const missing = reached.length < runs.length ? `, in ${reached.length} of ${runs.length} seeds` : '';
  return `${samples.toLocaleString('en')} (${share} %)${missing}`;
}

function formatShare(runs: readonly RunResult[], of: (run: RunResult) => number): string {
  const share = mean(runs.map((run) => of(run) / run.cost.seconds));
  return `${mean(runs.map(of)).toFixed(1)} (${(100 * share).toFixed(1)} %)`;
}

function formatRemark(
  mixing: string,
  base: string,
  difference: number,
  tasks: readonly string[],
  changes: readonly number[],
): string {
  const named = (worse: boolean) =>
    tasks.flatMap((task, k) =>
      changes[k]! > 0 === worse ? [`${task} ${formatSigned(changes[k]!, 3)}`] : [],
    );
  const list = (names: string[]) => (names.length > 0 ? names.join(', ') : 'none');
  const verdict =
    Math.abs(difference) < 5e-5
      ? `ended level with ${base}, to four digits`
      : difference < 0
        ? `ended ${(-difference).toFixed(4)} below ${base}`
        : `did not beat ${base}: it ended ${difference.toFixed(4)} above`;
  return `${mixing} ${verdict}. Better: ${list(named(false))}. Worse: ${list(named(true))}.`;
}

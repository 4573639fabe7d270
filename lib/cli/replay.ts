/** `pike-mixer replay`: the weights of a logged run under other rules and parameters. */
import { Command, Option } from 'commander';
import { PikeError } from '../errors.js';
import type { LoggedRun } from '../monitor/logged-run.js';
import { pickRun, readRunLogs } from '../monitor/read-run-log.js';
import { type Replay, replay } from '../monitor/replay.js';
import { type ReplayChanges, replayable, sayChanges } from '../monitor/replay-options.js';
import { reportHtml } from '../report/report-html.js';
import { CommandFailure, EXIT } from './exit-codes.js';
import { type Io, printJson, printNotice } from './io.js';
import { isPage, isSame, refuseToHarm, STANDARD_OUTPUT, writeOutput } from './output-file.js';
import { createProgress } from './progress.js';
import { changesToTry, flagOf, MEANINGS, valuesOf } from './replay-changes.js';
import { describeReplays, toDocument } from './replay-results.js';

const HELP = `
Examples:
  $ pike-mixer replay run.jsonl                                    whether the log gives its own weights again
  $ pike-mixer replay run.jsonl --zeta1 0.02,0.05,0.1              three values of ζ1
  $ pike-mixer replay run.jsonl --zeta1 0.02,0.1 --smoothing 0,0.9 all four combinations
  $ pike-mixer replay run.jsonl --set zeta1=0.1,smoothing=0.5 --set rule=balanced,tau=2
  $ pike-mixer replay run.jsonl --update-interval 20,50            with measurements left out
  $ pike-mixer replay demo.jsonl --run "pike, seed 1" --rule mirror --learning-rate 1e-3 --smoothness 10
  $ pike-mixer replay run.jsonl --scale relative,absolute -o replayed.jsonl --report replayed.html
  $ pike-mixer replay run.jsonl --zeta1 0.1 -o - | gzip > a.gz   the replayed run to the standard output

Where an option takes several values, by commas, every combination is tried, with every --set.
Options that are not named stay as they were logged; those logged with their default follow what they derive from.
An update interval can be larger than the logged one, never smaller: there is no measurement in between.
What was measured depends on the weights that were trained with. Other weights would have led to another model and other
gradients, so a replay says how a rule reads these measurements, not how well its mixture would have trained; the farther
it lies from the logged weights, the less it says.
`;

interface Options {
  run?: string;
  set: string[];
  output?: string;
  report?: string;
  force?: boolean;
  json?: boolean;
}

export function replayCommand(io: Io): Command {
  const command = new Command('replay')
    .summary('compute the weights of a logged run under other rules and parameters')
    .description(
      'Computes the weights of a logged run again from its raw statistics, under other rules and parameters, without training.',
    )
    .argument('<log>', 'run log (JSON Lines), also of a run that crashed or is still going on')
    .option('--run <name>', 'which run, where the log holds several')
    .addOption(
      new Option('--set <changes>', 'a set of parameters, as name=value,name=value; may be repeated')
        .default([], 'none')
        .argParser((text: string, before: string[]) => [...before, text]),
    );
  for (const name of replayable) command.option(`${flagOf(name)} ${valuesOf(name)}`, MEANINGS[name]);
  return command
    .option('-o, --output <file>', 'write the replayed runs as a run log; - is the standard output')
    .option('--report <file>', 'draw them beside the logged run, as an HTML page; - likewise')
    .option('--force', 'replace existing files of another kind')
    .option('--json', 'print one JSON document, with all weights after all updates')
    .addHelpText('after', HELP)
    .action(async (log: string, options: Options & Record<string, unknown>) => {
      const given = replayable.filter((name) => options[name] !== undefined);
      const lists = Object.fromEntries(given.map((name) => [name, options[name] as string]));
      await replayLog(io, log, options, changesToTry(lists, options.set));
    });
}

async function replayLog(io: Io, log: string, options: Options, sets: ReplayChanges[]): Promise<void> {
  const { output, report, force = false, json } = options;
  const isPiped = output === STANDARD_OUTPUT || report === STANDARD_OUTPUT;
  if (isPiped && (json || output === report))
    throw new CommandFailure(
      EXIT.usage,
      'only one of --output, --report and --json can go to the standard output: name a file',
    );
  const inputs = [log];
  if (output !== undefined) await refuseToHarm(output, { inputs, what: 'run log', isOne: isReplayed, force });
  if (report !== undefined) {
    if (output !== undefined && !isPiped && isSame(report, output))
      throw new CommandFailure(EXIT.usage, '--output and --report name the same file');
    await refuseToHarm(report, { inputs, what: 'HTML page', isOne: isPage, force });
  }
  const run = pickRun(await readRunLogs(log, { steps: report !== undefined }), options.run);
  for (const { message } of run.notices) printNotice(io, `${log}: ${message}`);
  const changed = sets.filter((changes) => Object.keys(changes).length > 0);
  const logged = asLogged(io, run, changed.length > 0);
  const replays = await replayAll(io, run, changed);
  for (const notice of new Set([logged, ...replays].flatMap((each) => each?.notices ?? [])))
    printNotice(io, notice);
  const page = report === undefined ? '' : reportHtml([run, ...replays.map((each) => each.run)]);
  if (output !== undefined) await writeOutput(io, output, toLines(changed.length > 0 ? replays : [logged!]));
  if (report !== undefined) await writeOutput(io, report, page);
  if (json) printJson(io, { log, ...toDocument(run, logged, replays), output, report });
  else {
    const said = describeReplays(run, logged, replays);
    if (isPiped) io.err(said);
    else io.out(said);
  }
}

/** null where only the user's program knows the rule. */
function asLogged(io: Io, run: LoggedRun, isOptional: boolean): Replay | null {
  try {
    return replay(run);
  } catch (error) {
    if (!isOptional || !(error instanceof PikeError)) throw error;
    printNotice(io, `as logged it cannot be replayed: ${error.message}`);
    return null;
  }
}

async function replayAll(io: Io, run: LoggedRun, sets: readonly ReplayChanges[]): Promise<Replay[]> {
  const progress = createProgress(io, Math.max(1, sets.length));
  const replays: Replay[] = [];
  try {
    for (const changes of sets) {
      replays.push(tryChanges(run, changes));
      progress.update(replays.length, sayChanges(changes));
      // A bar is drawn by a timer.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    progress.stop();
  }
  return replays;
}

function tryChanges(run: LoggedRun, changes: ReplayChanges): Replay {
  try {
    return replay(run, changes);
  } catch (error) {
    // Of weights that are not one for every task: here the shape is what was typed.
    if (error instanceof PikeError && error.code === 'ERR_SHAPE')
      throw new CommandFailure(EXIT.usage, error.message, { cause: error });
    throw error;
  }
}

function toLines(replays: readonly Replay[]): string {
  return replays.flatMap(({ run }) => run.history.map((event) => JSON.stringify(event) + '\n')).join('');
}

/** A log that training wrote is not to be lost; one of replays can be had again. */
function isReplayed(head: string): boolean {
  return head.startsWith('{"event":"start","run":') && REPLAYED_NAME.test(head);
}

const REPLAYED_NAME = /^\{"event":"start","run":"(?:[^"\\]|\\.)*: (?:as logged|\w+=)/;

/** `pike-mixer report`: run logs as one page to look at. */
import { statSync } from 'node:fs';
import { Command } from 'commander';
import { readRunLogs } from '../monitor/read-run-log.js';
import { reportHtml } from '../report/report-html.js';
import { type RunSummary, sentenceOf, summaryOf } from '../report/summary.js';
import { CommandFailure, EXIT } from './exit-codes.js';
import { type Io, printJson, printNotice } from './io.js';
import { isPage, refuseToHarm, STANDARD_OUTPUT, writeOutput } from './output-file.js';
import { createProgress } from './progress.js';
import { printable } from './text.js';

const EXAMPLES = `
Examples:
  $ pike-mixer report run.jsonl                          the page, in report.html
  $ pike-mixer report uniform.jsonl pike.jsonl -o a.html runs of several logs, side by side
  $ pike-mixer report run.jsonl -o - > page.html         the page to the standard output
  $ pike-mixer report run.jsonl --json                   the page, and a summary for a program
`;

interface Options {
  output: string;
  title?: string;
  force?: boolean;
  json?: boolean;
}

export function reportCommand(io: Io): Command {
  return new Command('report')
    .summary('draw run logs as one HTML page')
    .description(
      'Draws the runs of one or several logs, side by side, as one HTML page that needs no network: weights, losses, gradient statistics, cosines, counts, events, cost and options.',
    )
    .argument('<log...>', 'run logs (JSON Lines), also of runs that crashed or are still going on')
    .option('-o, --output <file>', 'where the page goes; - is the standard output', 'report.html')
    .option('--title <text>', 'heading of the page')
    .option('--force', 'replace an existing file even when it is no HTML page')
    .option('--json', 'print a summary of the runs as one JSON document')
    .addHelpText('after', EXAMPLES)
    .action(async (logs: string[], options: Options) => report(io, logs, options));
}

async function report(io: Io, logs: string[], { output, title, force, json }: Options): Promise<void> {
  const isPiped = output === STANDARD_OUTPUT;
  if (isPiped && json)
    throw new CommandFailure(
      EXIT.usage,
      'the page and --json cannot both go to the standard output: name a file by -o',
    );
  await refuseToHarm(output, { inputs: logs, what: 'HTML page', isOne: isPage, force: force ?? false });
  const runs = await read(io, logs);
  const page = reportHtml(runs, title === undefined ? {} : { title });
  const notices = new Set(
    runs.flatMap((run) => run.notices.map(({ source, message }) => `${source}: ${message}`)),
  );
  for (const notice of notices) printNotice(io, notice);
  await writeOutput(io, output, page);
  if (isPiped) return;
  const summaries = runs.map(summaryOf);
  if (json) printJson(io, { output, runs: summaries, notices: [...notices] });
  else io.out(inWords(summaries) + `${printable(output)}: ${megabytes(page)}\n`);
}

async function read(io: Io, logs: readonly string[]) {
  const bytes = logs.reduce((sum, log) => sum + (statSync(log, { throwIfNoEntry: false })?.size ?? 0), 0);
  const progress = createProgress(io, Math.max(1, bytes));
  try {
    return await readRunLogs(logs, {
      // A log that is being written grows.
      onRead: (done) => progress.update(Math.min(done, bytes), 'reading'),
    });
  } finally {
    progress.stop();
  }
}

function inWords(summaries: readonly RunSummary[]): string {
  return summaries.map((summary) => `${printable(`${summary.run}: ${sentenceOf(summary)}`)}\n`).join('');
}

function megabytes(page: string): string {
  return `${(Buffer.byteLength(page) / 1e6).toFixed(1)} MB`;
}

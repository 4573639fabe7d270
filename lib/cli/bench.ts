/** `pike-mixer bench`: how fast gradients are measured on this machine. */
import { Command, Option } from 'commander';
import type { TimedBackend } from '../throughput/batch.js';
import type { Size } from '../throughput/size.js';
import { SIZES } from '../throughput/size.js';
import { type ThroughputReport, throughput } from '../throughput/throughput.js';
import { type Io, printJson } from './io.js';
import { createProgress, type Progress } from './progress.js';
import { short, table } from './table.js';
import { printable } from './text.js';

const BACKENDS = ['cpu', 'reference'] as const;

const EXAMPLES = `
Examples:
  $ pike-mixer bench                         a minute or two; nothing else should be running
  $ pike-mixer bench --quick                 some seconds
  $ pike-mixer bench --json > figures.json   for a program

Medians, taken in turn with a read loop over the same memory ('of probe' is the share of its speed), with plain JavaScript,
and with OpenBLAS and NumPy where python3 has them.
`;

export function benchCommand(io: Io): Command {
  return new Command('bench')
    .summary('measure the speed of the CPU kernels on this machine')
    .description(
      'Measures how fast gradients are read on the CPU, next to memory, plain JavaScript, OpenBLAS and NumPy.',
    )
    .addOption(new Option('--backend <name>', 'the one to time').choices(BACKENDS).default('cpu'))
    .option('--quick', 'less of everything')
    .addOption(new Option('--size <name>', 'how much').choices(SIZES).hideHelp())
    .option('--json', 'print one JSON document')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { backend: TimedBackend; quick?: boolean; size?: Size; json?: boolean }) => {
      let progress: Progress | undefined;
      let report: ThroughputReport;
      try {
        report = await throughput({
          backend: options.backend,
          size: options.size ?? (options.quick ? 'quick' : 'full'),
          onProgress(done, total, what) {
            progress ??= createProgress(io, total);
            progress.update(done, what);
          },
        });
      } finally {
        progress?.stop();
      }
      if (options.json) printJson(io, report);
      else io.out(describe(report));
    });
}

const percent = (share: number) => `${Math.round(100 * share)} %`;

function describe(report: ThroughputReport): string {
  const {
    version,
    backend,
    processor,
    threads,
    instructionSet,
    size,
    batch,
    streamed,
    peers,
    notes,
    seconds,
  } = report;
  return [
    `pike-mixer ${version} on ${printable(processor)}, ${threads === 1 ? '1 thread' : `${threads} threads`}, ${backend === 'cpu' ? instructionSet : backend}; ${size}\n`,
    '\nRows at once, two per task, with products\n',
    table(
      ['type', 'rows', 'elements', 'ms', 'GB/s', 'probe GB/s', 'of probe'],
      batch.map(({ dtype, tasks, perTask, d, call, bytes, probe, share }) => [
        dtype,
        String(tasks * perTask),
        short(d),
        short(1000 * call.median),
        short(bytes / call.median / 1e9),
        short(bytes / probe.median / 1e9),
        percent(share),
      ]),
      [1, 2, 3, 4, 5, 6],
    ),
    '\nStreamed, one row after the other\n',
    table(
      ['type', 'elements', 'ms', 'GB/s', 'probe GB/s', 'of probe'],
      streamed.map(({ dtype, d, call, bytesPerElement, probeRate, share }) => [
        dtype,
        short(d),
        short(1000 * call.median),
        short((bytesPerElement * d) / call.median / 1e9),
        short(probeRate / 1e9),
        percent(share),
      ]),
      [1, 2, 3, 4, 5],
    ),
    '\nOthers, on the same rows of float32\n',
    table(
      ['', 'threads', 'rows', 'ms', 'ours, ms', 'ours is faster'],
      peers.map(({ peer, threads: used, tasks, perTask, theirs, own, ratio }) => [
        peer,
        used,
        String(tasks * perTask),
        short(1000 * theirs.median),
        short(1000 * own.median),
        `${short(ratio)} times`,
      ]),
      [1, 2, 3, 4, 5],
    ),
    notes.length > 0 ? '\n' : '',
    ...notes.map((note) => `${printable(note)}\n`),
    `\n${seconds.toFixed(1)} s.\n`,
  ].join('');
}

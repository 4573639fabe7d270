/** `pike-mixer verify`: holds a backend against what is promised of it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { openSubject, type Subject } from '../verification/subject.js';
import { type Verification, verify } from '../verification/verify.js';
import { CommandFailure, EXIT } from './exit-codes.js';
import { type Io, printJson } from './io.js';
import { createProgress, type Progress } from './progress.js';
import { short, table } from './table.js';
import { printable } from './text.js';

const BACKENDS = ['cpu', 'cuda', 'reference'] as const;
type Choice = (typeof BACKENDS)[number];

const EXAMPLES = `
Examples:
  $ pike-mixer verify                    everything, on the CPU: some minutes
  $ pike-mixer verify --quick            less of everything: some seconds
  $ pike-mixer verify --backend cuda     the kernels of the GPU, which have not yet run on one
  $ pike-mixer verify --seed 7 --json    other random numbers, for a program

What is promised: norms N, products and variances as those of the TypeScript reference to within 1e-6 for random numbers,
1.6e-5 for any (1e-12 in float64), in units of the squared norm of the largest gradient; the same bits on any number of
threads; the weights that rules make of them to within 1e-12. The reference itself is held against plain loops.
Ends with 1 when a promise is broken, or when the backend cannot be had.
`;

/** @param open gives the backend; tests hand in a wrong one */
export function verifyCommand(io: Io, open: (choice: Choice) => Subject = openSubject): Command {
  return new Command('verify')
    .summary('check the results of a native backend against the reference')
    .description(
      'Measures random and hostile gradients, and holds every result against what is promised of it.',
    )
    .addOption(new Option('--backend <name>', 'the one to verify').choices(BACKENDS).default('cpu'))
    .option('--quick', 'less of everything')
    .option('--seed <integer>', 'which random numbers', wholeNumber, 1)
    .option('--json', 'print one JSON document')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { backend: Choice; quick?: boolean; seed: number; json?: boolean }) => {
      const subject = open(options.backend);
      let progress: Progress | undefined;
      let verification: Verification;
      try {
        verification = await verify({
          ...subject,
          size: options.quick ? 'quick' : 'full',
          seed: options.seed,
          onProgress(done, total, what) {
            progress ??= createProgress(io, total);
            progress.update(done, what);
          },
        });
      } finally {
        progress?.stop();
      }
      if (options.json) printJson(io, verification);
      else io.out(describe(verification));
      if (!verification.passed) throw new CommandFailure(EXIT.checkFailed);
    });
}

/** An argument that is an integer >= 0. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('It must be an integer >= 0.');
  return value;
}

const verdict = (kept: boolean) => (kept ? 'kept' : 'BROKEN');

function describe(found: Verification): string {
  const { backend, seed, size, seconds, passed } = found;
  const which = [backend.name, backend.instructionSet, backend.device].filter(Boolean).join(', ');
  const broken = found.sums.filter(({ kept }) => !kept);
  return [
    `pike-mixer ${found.version}, backend ${printable(which)}; ${size}, seed ${seed}\n`,
    '\nSums: the largest error, in units of the squared norm of the largest gradient\n',
    table(
      ['numbers', 'type', 'problems', 'largest', 'promised', ''],
      found.sums.map((each) => [
        each.group,
        each.dtype,
        String(each.problems),
        short(each.largest),
        short(each.promised),
        verdict(each.kept),
      ]),
      [2, 3, 4],
    ),
    ...broken.map(({ group, dtype, worst }) => `${group}, ${dtype}: worst in ${worst}\n`),
    '\nBits: numbers that differ between runs\n',
    table(
      ['', 'differ', ''],
      found.bits.map(({ what, different, kept }) => [what, String(different), verdict(kept)]),
      [1],
    ),
    '\nWeights: the largest relative error\n',
    table(
      ['rule', 'measurements', 'largest', 'promised', ''],
      found.weights.map((each) => [
        each.rule,
        String(each.measurements),
        short(each.largest),
        short(each.promised),
        verdict(each.kept),
      ]),
      [1, 2, 3],
    ),
    `\n${passed ? 'Every promise is kept' : 'A PROMISE IS BROKEN'} (${seconds.toFixed(1)} s).\n`,
  ].join('');
}

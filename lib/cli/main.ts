/** Puts the commands together. To add one: an import, and a line in COMMANDS. */
import { Command } from 'commander';
import { VERSION } from '../version.js';
import { benchCommand } from './bench.js';
import { doctorCommand } from './doctor.js';
import { EXIT, EXIT_CODES_HELP, explainFailure } from './exit-codes.js';
import type { Io } from './io.js';
import { replayCommand } from './replay.js';
import { reportCommand } from './report.js';
import { printable } from './text.js';
import { verifyCommand } from './verify.js';

/** In the order of the help. */
const COMMANDS: readonly ((io: Io) => Command)[] = [
  doctorCommand,
  verifyCommand,
  benchCommand,
  reportCommand,
  replayCommand,
];

const EXAMPLES = `
Examples:
  $ pike-mixer doctor
  $ pike-mixer verify --quick
  $ pike-mixer report run.jsonl
  $ pike-mixer replay run.jsonl --zeta1 0.02,0.05,0.1
  $ pike-mixer help doctor
`;

/** The whole command line. */
export function program(io: Io): Command {
  const main = new Command('pike-mixer')
    .description('Adaptive data mixing for multi-source training: checks, measurements and reports.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .showHelpAfterError('(`pike-mixer --help` tells more)')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(printableUsage(text)),
      getOutHelpWidth: () => io.columns,
      getErrHelpWidth: () => io.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', EXAMPLES + EXIT_CODES_HELP);
  for (const make of COMMANDS) {
    const command = make(io);
    command
      .copyInheritedSettings(main)
      .showHelpAfterError(`(\`pike-mixer ${command.name()} --help\` tells more)`);
    main.addCommand(command);
  }
  return main;
}

/** Of a complaint by commander, which quotes what was typed, only the last line end and that before a suggestion are not quoted. */
function printableUsage(text: string): string {
  const [, complaint, suggestion = ''] = /^(.*?)(\n\(Did you mean [^\n]*\?\))?\n?$/s.exec(text)!;
  return `${printable(complaint)}${suggestion}\n`;
}

/** `help nope`: commander would print its help without a word why; `nope` alone says what is wrong, and suggests another. */
function isHelpOfUnknown({ commands }: Command, [help, name]: readonly string[]): boolean {
  const isKnown = commands.some((command) => command.name() === name);
  return help === 'help' && name !== undefined && !name.startsWith('-') && !isKnown;
}

/**
 * Runs one command line.
 *
 * @param args what stands behind the program's name
 * @returns the exit code; never rejects
 */
export async function run(args: readonly string[], io: Io): Promise<number> {
  try {
    const main = program(io);
    await main.parseAsync(isHelpOfUnknown(main, args) ? args.slice(1) : args, { from: 'user' });
    return EXIT.done;
  } catch (error) {
    const { exitCode, text } = explainFailure(error);
    if (text) io.err(text);
    return exitCode;
  }
}

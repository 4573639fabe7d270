import { printable, printableLines } from './text.js';

/** What a command sees of the outside world, so that tests can hand in another. */
export interface Io {
  /** Writes to the standard output, exactly this text: results, and nothing else. */
  out(text: string): void;
  /** Writes to the standard error: progress, notices and errors. */
  err(text: string): void;
  /** The standard error is a terminal, on which a bar can be redrawn. */
  readonly terminal: boolean;
  /** Width of the standard output, in characters. */
  readonly columns: number;
  readonly env: NodeJS.ProcessEnv;
}

/** Wide enough for tables in a file or a pipe. */
const COLUMNS_WITHOUT_TERMINAL = 100;

/** That of this process. */
export function processIo(): Io {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal: process.stderr.isTTY === true,
    columns: process.stdout.columns || COLUMNS_WITHOUT_TERMINAL,
    env: process.env,
  };
}

/** Something to know beside the results, in one line. */
export function printNotice(io: Io, text: string): void {
  io.err(`notice: ${printable(text)}\n`);
}

/**
 * The one document of `--json`. What JSON cannot say (NaN, Infinity) becomes null. JSON.stringify leaves some of what a terminal
 * acts on as it is (U+009B, U+202E); escaped, it is the same string to whoever parses it.
 */
export function printJson(io: Io, document: unknown): void {
  io.out(printableLines(JSON.stringify(document, null, 2)) + '\n');
}

/** How a command ends, as its exit code tells the shell, and what an error means for it. */
import { CommanderError } from 'commander';
import { type ErrorCode, PikeError } from '../errors.js';
import { printable, printableLines } from './text.js';

export const EXIT = {
  /** Done. */
  done: 0,
  /** A check failed: what was to be verified does not hold. */
  checkFailed: 1,
  /** Wrong usage: an unknown command or option, or a value that is not allowed. */
  usage: 2,
  /** A file cannot be read, written or understood. */
  file: 3,
  /** A defect of pike-mixer. */
  bug: 70,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** For the help. */
export const EXIT_CODES_HELP = `
Exit codes:
  0   done
  1   a check failed (doctor, verify), or there is nothing to time (bench)
  2   wrong usage
  3   a file cannot be read, written or understood
  70  a defect of pike-mixer: please report it
`;

/** Ends a command with a code of its own. With an empty message nothing more is printed. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message = '', options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** What a PikeError that reaches the shell means; what is not named is a bug. */
const OF_PIKE_ERRORS: Partial<Record<ErrorCode, ExitCode>> = {
  ERR_INVALID_OPTION: EXIT.usage,
  ERR_STATE: EXIT.file,
  ERR_SOURCE: EXIT.file,
  ERR_RUN_LOG: EXIT.file,
  ERR_NO_BACKEND: EXIT.checkFailed,
  ERR_MEMORY: EXIT.checkFailed,
  ERR_CUDA: EXIT.checkFailed,
  ERR_CUDA_FATAL: EXIT.checkFailed,
};

/** What to end with after `error`, and what to say about it on the standard error: '' for what has been said. */
export function explainFailure(error: unknown): { readonly exitCode: ExitCode; readonly text: string } {
  // Commander has printed its message, the help or the version already.
  if (error instanceof CommanderError)
    return { exitCode: error.exitCode === 0 ? EXIT.done : EXIT.usage, text: '' };
  if (error instanceof CommandFailure)
    return { exitCode: error.exitCode, text: error.message && `error: ${printable(error.message)}\n` };
  if (error instanceof PikeError) {
    const exitCode = OF_PIKE_ERRORS[error.code] ?? EXIT.bug;
    return { exitCode, text: `error: ${printable(error.message)} (${error.code})\n` };
  }
  if (isSystemError(error)) return { exitCode: EXIT.file, text: `error: ${printable(error.message)}\n` };
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return {
    exitCode: EXIT.bug,
    text: `error: a defect of pike-mixer, please report it\n${printableLines(said)}\n`,
  };
}

/** Of the file system: no such file, no permission, no space. */
function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string';
}

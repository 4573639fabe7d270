/** Runs the command line inside this process, and catches what it prints. */
import type { Io } from '../../lib/cli/io.js';
import { run } from '../../lib/cli/main.js';

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export async function runCli(...args: string[]): Promise<Ran> {
  const { io, printed } = catchingIo();
  const code = await run(args, io);
  return { code, ...printed() };
}

export function catchingIo(given: Partial<Io> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  const io: Io = {
    out: (text) => void out.push(text),
    err: (text) => void err.push(text),
    terminal: false,
    columns: 100,
    env: process.env,
    ...given,
  };
  return { io, printed: () => ({ out: out.join(''), err: err.join('') }) };
}

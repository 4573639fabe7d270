/**
 * The parts of the bench, each in a process of its own: an error that takes the GPU from a process ends one part, and
 * memory of one is no burden on the next.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bits } from './bits.js';
import { NoGpuError } from './device.js';
import { environment } from './environment.js';
import { mixer } from './mixer.js';
import { parity } from './parity.js';
import { peers } from './peers.js';
import type { Size } from './problems.js';
import { broken, formatReport, type PartReport, partReport } from './report.js';
import { sanitizer } from './sanitizer.js';
import { throughput } from './throughput.js';
import { weights } from './weights.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

const argumentsOf = (part: string, size: Size) => ['gpu', '--part', part, '--size', size];

const parts: Readonly<Record<string, (size: Size) => PartReport | Promise<PartReport>>> = {
  environment,
  parity,
  weights,
  mixer,
  bits,
  sanitizer: () => sanitizer([PROGRAM, ...argumentsOf('verification', 'tiny')]),
  throughput,
  PyTorch: peers,
  // Not one of the bench: what the sanitizer runs.
  verification: async (size) => {
    const reports = [await parity(size), await weights(size)];
    return partReport({ checks: reports.flatMap((report) => report.checks) });
  },
};

/** Those that the bench runs, in this order, once it knows that there is a GPU. */
export const PARTS = ['parity', 'weights', 'mixer', 'bits', 'sanitizer', 'throughput', 'PyTorch'];
export const ALL_PARTS = Object.keys(parts);

type Message = { readonly report: PartReport } | { readonly noGpu: string } | { readonly error: string };

/**
 * Runs a part in a child process.
 *
 * @throws NoGpuError with the reason, if that is what the child said
 */
export function runInChild(part: string, size: Size): Promise<PartReport> {
  const child = fork(PROGRAM, argumentsOf(part, size), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    let message: Message | undefined;
    child.on('message', (given) => {
      message = given as Message;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (message && 'noGpu' in message) reject(new NoGpuError(message.noGpu));
      else if (message && 'report' in message && code === 0) resolve(message.report);
      else {
        const said = message && 'error' in message ? `: ${message.error}` : '';
        resolve(endedEarly(signal ? `ended by ${signal}${said}` : `exit code ${code}${said}`));
      }
    });
  });
}

export function endedEarly(found: string): PartReport {
  return partReport({
    checks: [{ what: 'the part runs to its end', found, promised: 'a report', kept: false }],
  });
}

/** The child's side, and that of whoever runs one part by hand. Returns the exit code. */
export async function runHere(part: string, size: Size): Promise<number> {
  try {
    const report = await parts[part](size);
    if (process.send) await send({ report });
    else console.log(formatReport(part, report));
    return process.send || broken(report).length === 0 ? 0 : 1;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const noGpu = error instanceof NoGpuError;
    if (process.send) await send(noGpu ? { noGpu: message } : { error: message });
    else if (noGpu) console.error(`bench gpu: no GPU can be used: ${message}`);
    else console.error(error);
    return noGpu ? 2 : 1;
  }
}

/** Resolves when the parent has it. */
function send(message: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, undefined, {}, (error) => (error ? reject(error) : resolve()));
  });
}

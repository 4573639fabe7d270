/** A part of a bench in a process of its own, and what that tells its parent. */
import { fork } from 'node:child_process';
import { broken, formatReport, type PartReport, partReport } from './report.js';

/** The machine lacks what the bench is about; the message says what. */
export class RefusedError extends Error {}

type Message = { readonly report: PartReport } | { readonly refused: string } | { readonly error: string };

/**
 * Runs a program that ends in `runPartHere`.
 *
 * @throws RefusedError with the reason, if that is what the child said
 */
export function runPartInChild(program: string, args: readonly string[]): Promise<PartReport> {
  const child = fork(program, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    let message: Message | undefined;
    child.on('message', (given) => {
      message = given as Message;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (message && 'refused' in message) reject(new RefusedError(message.refused));
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

/**
 * The child's side, and that of whoever runs one part by hand.
 *
 * @param explain the line for people when the part refuses to run
 * @returns the exit code
 */
export async function runPartHere(
  name: string,
  part: () => PartReport | Promise<PartReport>,
  explain: (reason: string) => string,
): Promise<number> {
  try {
    const report = await part();
    if (process.send) await send({ report });
    else console.log(formatReport(name, report));
    return process.send || broken(report).length === 0 ? 0 : 1;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const refused = error instanceof RefusedError;
    if (process.send) await send(refused ? { refused: message } : { error: message });
    else if (refused) console.error(explain(message));
    else console.error(error);
    return refused ? 2 : 1;
  }
}

/** Resolves when the parent has it. */
function send(message: Message): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, undefined, {}, (error) => (error ? reject(error) : resolve()));
  });
}

/** A Python process that runs peers.py and answers line by line. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./peers.py', import.meta.url));

export type Operation = 'ssyrk' | 'matmul' | 'two-pass';

export interface Hello {
  readonly python: string;
  readonly numpy: string | null;
  readonly openblas: string | null;
  /** Why what is missing is missing. */
  readonly reasons: { readonly numpy?: string; readonly openblas?: string };
}

/** What a peer does not do as it should: no defect of ours. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
}

export class Python {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.on('error', () => {}); // told by the missing answer
  }

  /** @returns the process, or why there is none */
  static async start(threads: number, python = 'python3'): Promise<Python | { skipped: string }> {
    const child = spawn(python, [SCRIPT], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        OPENBLAS_NUM_THREADS: String(threads),
        // Its threads wait for more work by spinning, some 30 ms by default: they would run beside ours.
        OPENBLAS_THREAD_TIMEOUT: '20', // 2^20 cycles
      },
    });
    try {
      await once(child, 'spawn');
    } catch (error) {
      return { skipped: `${python} cannot be run (${(error as Error).message})` };
    }
    return new Python(child);
  }

  hello(): Promise<Hello> {
    return this.#ask({ op: 'hello' });
  }

  async allocate(shape: { tasks: number; rows: number; d: number }): Promise<void> {
    await this.#ask({ op: 'allocate', ...shape });
  }

  /** Runs once, and comes back when nothing runs there any more. `trace`: sum of all squares, for comparison. */
  async run(op: Operation): Promise<{ seconds: number; trace: number }> {
    const answer = await this.#ask<{ seconds: number; trace: number }>({ op });
    await sleep(5);
    return answer;
  }

  end(): void {
    this.#child.stdin.end();
  }

  async #ask<T>(request: object): Promise<T> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new PeerError('peers.py ended without an answer');
    let answer: T & { error?: string };
    try {
      answer = JSON.parse(value);
    } catch {
      throw new PeerError(`peers.py answered '${value.slice(0, 100)}'`);
    }
    if (answer.error !== undefined) throw new PeerError(`peers.py: ${answer.error}`);
    return answer;
  }
}

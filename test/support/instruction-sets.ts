/** The CPU backend with the kernels of any instruction set of this machine, each in a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { loadAddon, type NativeAddon } from '../../lib/backends/load-addon.js';
import { PikeError } from '../../lib/errors.js';
import type { Moments } from '../../lib/statistics/statistics.js';
import type { HostRequest } from '../backends/rows.js';

const dist = pathToFileURL(resolve(dirname(fileURLToPath(import.meta.url)), '../../dist')).href;

/** Those of this machine, the best first. Tests of native code must fail, not be skipped, where it is not built. */
export function instructionSets(): readonly string[] {
  return addon().buildInfo.instructionSets;
}

function addon(): NativeAddon {
  const { addon, reasons } = loadAddon();
  if (!addon) throw new Error(`run \`npm run build:native\` first: ${reasons.join('; ')}`);
  return addon;
}

/** The environment of a process that is to use one. */
export function environment(instructionSet: string): NodeJS.ProcessEnv {
  addon();
  return {
    ...process.env,
    PIKE_MIXER_ADDON: loadAddon().path!,
    PIKE_MIXER_INSTRUCTION_SET: instructionSet,
  };
}

const PROGRAM = `
  import { createCpuBackend } from ${JSON.stringify(`${dist}/backends/cpu.js`)};
  async function streamed(backend, { rows, samples, inner, preconditioner }) {
    const stream = backend.stream({ tasks: rows.length, layout: rows.flat()[0], inner });
    for (let k = 0; k < rows.length; k++)
      for (let i = 0; i < rows[k].length; i++) await stream.add(k, rows[k][i], samples[k][i], preconditioner);
    return stream.moments();
  }
  process.on('message', async ({ request, threads, stream }) => {
    const backend = createCpuBackend({ threads });
    const answer = stream ? streamed(backend, request) : backend.moments(request);
    answer.then(
      (moments) => process.send({ instructionSet: backend.instructionSet, moments }),
      ({ code, message }) => process.send({ code, message }),
    );
  });
`;

/** A process that measures, one request after the other. */
export class InstructionSetProcess {
  readonly #child;
  /** What the backend says it uses. */
  instructionSet = '';

  constructor(instructionSet: string) {
    this.#child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      env: environment(instructionSet),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
  }

  moments(request: HostRequest, threads = 2): Promise<Moments> {
    return this.#ask({ request, threads, stream: false });
  }

  streamed(request: HostRequest, threads = 2): Promise<Moments> {
    return this.#ask({ request, threads, stream: true });
  }

  stop(): void {
    this.#child.kill();
  }

  async #ask(message: object): Promise<Moments> {
    const ended = new AbortController();
    this.#child.once('exit', () => ended.abort(new Error('the process ended before it answered')));
    this.#child.send(message);
    const [answer] = await once(this.#child, 'message', { signal: ended.signal });
    this.#child.removeAllListeners('exit');
    if (answer.code) throw new PikeError(answer.code, answer.message);
    this.instructionSet = answer.instructionSet;
    return answer.moments;
  }
}

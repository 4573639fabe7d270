/**
 * Shapes that need more memory than there is: `node test/stress/memory.mjs`. Each is ERR_MEMORY and leaves the process
 * usable: where the machine has not so much, where the address space of the process is limited, and where any one of the
 * addon's larger allocations fails.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FOLDER, ROOT } from './support/compile.mjs';

const script = fileURLToPath(new URL('./support/memory-child.mjs', import.meta.url));
let failed = 0;

function run(mode, { command = process.execPath, args = [], env = {}, stdio = 'pipe' } = {}) {
  const { status, signal, stdout, stderr, output } = spawnSync(command, [...args, script, mode], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 120_000,
    stdio: ['ignore', 'pipe', 'pipe', stdio],
  });
  return {
    good: status === 0,
    said: `${signal ?? status}: ${stdout}${stderr}`,
    counted: Number(output?.[3]),
  };
}

function tell(what, { good, said }) {
  console.log(
    `memory: ${what}: ${good ? 'every refusal is ERR_MEMORY, and all goes on' : `FAILED, ${said}`}`,
  );
  if (!good) failed++;
}

tell(`huge shapes on ${(totalmem() / 2 ** 30).toFixed(0)} GiB`, run('huge'));

// Node itself reserves much, so that is found out first.
const limited = run('reserved');
const reserved = Number(/reserved (\d+)/.exec(limited.said)?.[1]);
if (process.platform === 'linux' && reserved > 0) {
  // util-linux: a limit for a command, in bytes.
  const limit = reserved + 700 * 2 ** 20;
  const args = [`--as=${limit}`, process.execPath];
  tell(`an address space of 700 MiB beyond Node's own`, run('limited', { command: 'prlimit', args }));
}

/** The n-th allocation fails, for every n. */
function failEach() {
  mkdirSync(FOLDER, { recursive: true });
  const library = join(FOLDER, 'failing_memory.so');
  const source = join(ROOT, 'test/stress/native/failing_memory.c');
  const { status, stderr } = spawnSync(
    process.env.CC ?? 'cc',
    ['-O1', '-Wall', '-Wextra', '-shared', '-fPIC', source, '-o', library, '-ldl'],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`memory: the library that fails was not compiled: ${stderr}`);
  const withFailure = (n) =>
    run('failing', { env: { LD_PRELOAD: library, PIKE_FAIL_AT: String(n), PIKE_FAIL_REPORT: '3' } });
  const { counted, good, said } = withFailure(0);
  if (!good || !(counted > 0)) throw new Error(`memory: without a failure: ${said}, ${counted} allocations`);
  let broken = 0;
  for (let n = 1; n <= counted; n++) {
    const result = withFailure(n);
    if (result.good) continue;
    broken++;
    failed++;
    console.error(`memory: allocation ${n} of ${counted} fails: ${result.said}`);
  }
  console.log(`memory: each of ${counted} allocations has failed once, ${broken} with harm`);
}
if (process.platform === 'linux') failEach();

process.exitCode = failed > 0 ? 1 : 0;

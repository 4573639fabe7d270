/**
 * Machines whose CUDA driver is missing, too old or broken, each in a process of its own: what 'cuda' and 'auto' make
 * of it, through the published entry point and the real addon.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';
import { compileFakeDriver, compiler } from '../support/fake-driver.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const entry = pathToFileURL(join(ROOT, 'dist/index.js')).href;
const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Failure {
  readonly code: string;
  readonly message: string;
}

interface Outcome {
  readonly cuda: Failure;
  readonly device: Failure;
  readonly backend: { readonly name: string; readonly reason: string };
  readonly weights: number[];
  readonly events: Failure[];
  readonly processWarnings: Failure[];
}

/** Two mixers under 'auto', the first of them without a listener; and what 'cuda' says. */
const PROGRAM = `
  import { Mixer, statistics } from ${JSON.stringify(entry)};
  const processWarnings = [];
  process.on('warning', ({ code, message }) => processWarnings.push({ code, message }));
  const failure = async (work) => {
    try { await work(); } catch ({ code, message }) { return { code, message }; }
  };
  const options = { tasks: ['a', 'b'], batchSize: 8 };
  const rows = [1, 2].map((x) => [Float32Array.of(x), Float32Array.of(x + 1)]);
  const samples = [[1, 1], [1, 1]];
  const silent = [new Mixer(options), new Mixer(options)];
  await silent[0].measure(rows, { samples });
  const events = [];
  const mixer = new Mixer(options);
  mixer.on('warning', ({ code, message }) => events.push({ code, message }));
  await mixer.measure(rows, { samples });
  await new Promise((turn) => setTimeout(turn, 20));
  const far = { pointer: 256n, length: 1, dtype: 'float32' };
  const device = await failure(() => statistics([[far, far]], { samples: [[1, 1]] }));
  const cuda = await failure(() => new Mixer({ ...options, backend: 'cuda' }));
  const { backend, weights } = mixer;
  console.log(JSON.stringify({ cuda, device, backend, weights: Array.from(weights), events, processWarnings }));
`;

function run(driver?: { init: number; version: number }): Outcome {
  const path = mkdtempSync(join(folder, 'driver-'));
  if (driver) compileFakeDriver(path, driver);
  // What is no library counts as none, also where a real one is installed.
  else writeFileSync(join(path, 'libcuda.so.1'), '');
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    env: { ...process.env, LD_LIBRARY_PATH: path, PIKE_MIXER_ADDON: loadAddon().path! },
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

const usable = loadAddon().addon?.buildInfo.cuda.compiled && compiler && process.platform === 'linux';

describe.runIf(usable)('a CUDA driver', () => {
  const cases: [string, Parameters<typeof run>[0], RegExp][] = [
    ['that is missing', undefined, /no NVIDIA driver is installed/],
    ['that is far too old', { init: 0, version: 11040 }, /too old: it serves CUDA 11\.4, but the addon/],
    [
      'that is too old',
      { init: 0, version: 12080 },
      /too old: it serves CUDA 12\.8, but the addon was built with CUDA \d+\.\d+ \(.*35\)/,
    ],
    ['without a GPU', { init: 100, version: 13000 }, /finds no GPU .*\(.*cudaErrorNoDevice \(100\)/],
    ['that is broken', { init: 999, version: 13000 }, /does not work \(.*cudaErrorUnknown \(999\)/],
    ['that does not match its kernel module', { init: 803, version: 13000 }, /does not work \(.*\(803\)/],
    ['that does not start', { init: 3, version: 13000 }, /does not work \(.*\(3\)/],
  ];
  it.each(cases)('%s: an error by name, a warning and the CPU under auto', (_, driver, reason) => {
    const { cuda, device, backend, weights, events, processWarnings } = run(driver);
    expect(cuda).toEqual({ code: 'ERR_NO_BACKEND', message: expect.stringMatching(reason) });
    expect(cuda.message).toMatch(/^backend 'cuda' cannot be had/);
    expect(device).toEqual({ code: 'ERR_NO_BACKEND', message: expect.stringMatching(reason) });
    expect(backend.name).toBe('cpu');
    expect(backend.reason).toMatch(new RegExp(`not cuda: .*${reason.source}`));
    expect(weights[0]).not.toBe(weights[1]);
    const warning = { code: 'WARN_CUDA_UNAVAILABLE', message: expect.stringMatching(reason) };
    // A machine without a driver is as it is meant to be.
    expect(events).toEqual(driver ? [warning] : []);
    expect(processWarnings).toEqual(driver ? [warning] : []);
  });
});

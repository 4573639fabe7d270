/**
 * The addon in worker threads. Each test runs in a process of its own, because what it looks for is a crash.
 */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';

/** Runs a CommonJS script with `addon` (its path), `request(d, value)` and `Worker` at hand. */
function run(script: string, ...flags: string[]): string {
  const { path, reasons } = loadAddon();
  if (path === null) throw new Error(`run \`npm run build:native\` first: ${reasons.join('; ')}`);
  const prelude = `
    const addon = ${JSON.stringify(path)};
    const { Worker } = require('node:worker_threads');
    const source = (body) => request + 'const { parentPort } = require("node:worker_threads");'
      + 'const native = require(' + JSON.stringify(addon) + ');' + body;
    const request = \`
      const request = (d, value) => ({
        dtypes: Uint8Array.of(0), lengths: Float64Array.of(d), rowsPerTask: Int32Array.of(2),
        samples: Float64Array.of(1, 1), tensors: [0, 1].map(() => new Float32Array(d).fill(value)),
        preconditioner: null, inner: true, rowScalars: true, threads: 2,
      });\`;
    ${script}`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', prelude], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return stdout.trim();
}

it('computes in several workers at once', () => {
  const answers = run(`
    const body = 'native.moments(request(300000, 2), null).then((m) => parentPort.postMessage(m.meanNormSquared[0]))';
    for (let i = 0; i < 4; i++) new Worker(source(body), { eval: true }).on('message', console.log);
  `);
  expect(answers.split('\n')).toEqual(['1200000', '1200000', '1200000', '1200000']);
});

it('keeps a process alive until work in flight is done, and no longer', () => {
  const answer = run(`
    const native = require(addon);
    eval(request + 'globalThis.request = request');
    native.moments(globalThis.request(1e6, 1), null).then((m) => console.log(m.meanNormSquared[0]));
  `);
  expect(answer).toBe('1000000');
});

it('keeps shared memory that nobody else holds any more', () => {
  const answer = run(
    `
    const native = require(addon);
    eval(request + 'globalThis.request = request');
    const inShared = (d) => ({
      ...globalThis.request(d, 0),
      tensors: [0, 1].map(() => new Float32Array(new SharedArrayBuffer(4 * d)).fill(1)),
    });
    (async () => {
      const big = inShared(4e6);
      const ahead = Array.from({ length: 8 }, () => native.moments(big, null));
      const waiting = native.moments(inShared(2e6), null);
      for (let i = 0; i < 4; i++) {
        await new Promise((turn) => setImmediate(turn));
        gc();
      }
      console.log((await waiting).meanNormSquared[0]);
    })();
  `,
    '--expose-gc',
  );
  expect(answer).toBe('2000000');
});

it('survives process.exit with work in flight', () => {
  const answer = run(`
    const native = require(addon);
    eval(request + 'globalThis.request = request');
    for (let i = 0; i < 5; i++) native.moments(globalThis.request(4e6, 1), null);
    console.log('left');
    process.exit(0);
  `);
  expect(answer).toBe('left');
});

it('survives terminate() with work in flight', () => {
  const answer = run(`
    const body = \`
      const stream = new native.MomentStream({ tasks: 2, dtypes: Uint8Array.of(0), lengths: Float64Array.of(1e6),
                                               inner: true, threads: 2 });
      const shared = [new Float32Array(new SharedArrayBuffer(4e6))];
      const big = request(1e6, 1);
      for (let i = 0; i < 6; i++) {
        native.moments(big, new native.Cancellation());
        stream.add(i % 2, shared, 1, null, Float64Array.of(1e6), null);
        stream.moments(null);
      }
      stream.dispose();
      parentPort.postMessage('begun');
      setInterval(() => {
        native.moments(request(1000, 1), null);
      }, 1);
    \`;
    (async () => {
      for (let round = 0; round < 25; round++) {
        const worker = new Worker(source(body), { eval: true });
        await new Promise((begun) => worker.once('message', begun));
        if (round % 3 > 0) await new Promise((later) => setTimeout(later, 2 * (round % 7)));
        await worker.terminate();
      }
      console.log('alive');
    })();
  `);
  expect(answer).toBe('alive');
}, 60_000);

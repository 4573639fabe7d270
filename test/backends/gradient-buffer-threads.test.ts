/**
 * Memory of the addon in worker threads, and how much of it there is. Each test runs in a process of its own, because
 * what it looks for is a crash, or the memory of a process.
 */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';

/**
 * Runs the body of an async function with `native` (the addon), `filled(d, value)`, an array in memory of the addon,
 * `norm(array)`, which measures it, and `start(body)`, a worker that has the same at hand.
 */
function run(body: string): string {
  const { path, reasons } = loadAddon();
  if (path === null) throw new Error(`run \`npm run build:native\` first: ${reasons.join('; ')}`);
  const common = `
    const native = require(${JSON.stringify(path)});
    const { Worker, parentPort } = require('node:worker_threads');
    const filled = (d, value) => new Float32Array(native.allocateMemory(4 * d)).fill(value);
    const measure = (array) => native.moments({
      dtypes: Uint8Array.of(0), lengths: Float64Array.of(array.length), rowsPerTask: Int32Array.of(1),
      samples: Float64Array.of(1), tensors: [array], preconditioner: null, inner: false, rowScalars: false,
      threads: 2 }, null);
    const norm = async (array) => (await measure(array)).meanNormSquared[0];
    const turn = () => new Promise((resolve) => setImmediate(resolve));
  `;
  const script = `
    const common = ${JSON.stringify(common)};
    ${common}
    const start = (body) => new Worker(common + '(async () => {' + body + '})()', { eval: true });
    const messageOf = (worker) => new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    (async () => { ${body} })();
  `;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', '-e', script], {
    encoding: 'utf8',
    timeout: 50_000,
  });
  expect({ status, signal, stderr }).toEqual({ status: 0, signal: null, stderr: '' });
  return stdout.trim();
}

it('is read in place: measuring takes no memory for a copy', () => {
  const peak = run(`
    const array = filled(50e6, 1); // 200 MB
    await norm(filled(1e6, 1));
    const before = process.resourceUsage().maxRSS;
    for (let i = 0; i < 3; i++) if ((await norm(array)) !== 50e6) throw new Error('wrong');
    console.log(process.resourceUsage().maxRSS - before);
  `);
  expect(Number(peak)).toBeLessThan(10_000); // KiB
}, 60_000);

it('is given back at once by releaseMemory, and later when nobody refers to it', () => {
  const grown = run(`
    const settle = async () => { for (let i = 0; i < 20; i++) { gc(); await new Promise((r) => setTimeout(r, 5)); } };
    filled(25e6, 1);
    await settle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 30; i++) native.releaseMemory(filled(25e6, 1).buffer); // 100 MB, and no turn of the loop
    await new Promise((resolve) => setTimeout(resolve, 100));
    const disposed = process.memoryUsage.rss() - before;
    for (let i = 0; i < 4; i++) filled(25e6, 1);
    await settle();
    console.log(JSON.stringify([disposed, process.memoryUsage.rss() - before].map((bytes) => bytes / 1e6)));
  `);
  for (const megabytes of JSON.parse(grown)) expect(megabytes).toBeLessThan(50);
}, 60_000);

it('never piles up in a loop that does not let the event loop turn', () => {
  const peak = run(`
    const before = process.resourceUsage().maxRSS;
    for (let i = 0; i < 40; i++) native.releaseMemory(filled(12e6, 1).buffer); // 48 MB each
    console.log((process.resourceUsage().maxRSS - before) / 1000);
  `);
  expect(Number(peak)).toBeLessThan(500); // MB, of 1920
}, 60_000);

it('serves several workers at once', () => {
  const answers = run(`
    const body = 'parentPort.postMessage(await norm(filled(300000, 2)))';
    const workers = Array.from({ length: 4 }, () => start(body));
    console.log(...await Promise.all(workers.map(messageOf)), await norm(filled(10, 1)));
  `);
  expect(answers).toBe('1200000 1200000 1200000 1200000 10');
}, 60_000);

it('is given back when its worker ends, disposed of or not', () => {
  const grown = run(`
    const round = async () => {
      const worker = start('globalThis.kept = filled(15e6, 1); parentPort.postMessage(0); setInterval(() => {}, 1e6)');
      await messageOf(worker);
      await worker.terminate();
    };
    await round();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 12; i++) await round(); // 60 MB each
    await new Promise((resolve) => setTimeout(resolve, 100));
    console.log((process.memoryUsage.rss() - before) / 1e6);
  `);
  expect(Number(grown)).toBeLessThan(200); // MB, of 720
}, 60_000);

it('survives the end of workers that measure it or copy in slices', () => {
  const answer = run(`
    for (let round = 0; round < 40; round++) {
      const worker = start(\`
        const kept = [1, 2, 3].map((value) => filled(1e6, value));
        for (const array of kept) measure(array);
        const gone = filled(1e6, 4);
        measure(gone);
        native.releaseMemory(gone.buffer);
        globalThis.staged = native.moments({
          dtypes: Uint8Array.of(0), lengths: Float64Array.of(8e6), rowsPerTask: Int32Array.of(1),
          samples: Float64Array.of(1), tensors: [new Float32Array(8e6)], preconditioner: null, inner: false,
          rowScalars: false, threads: 2 }, null, true);
        parentPort.postMessage('advance' in staged);
        if (\${round} % 4 === 0) process.exit();
        setInterval(() => { measure(filled(1000, 1)); staged.advance(); }, 1);
      \`.replaceAll('\${round}', round));
      if (!(await messageOf(worker))) throw new Error('copied in one slice');
      if (round % 3 > 0) await new Promise((later) => setTimeout(later, 2 * (round % 7)));
      await worker.terminate();
    }
    console.log('alive');
  `);
  expect(answer).toBe('alive');
}, 60_000);

// A byte stream takes the memory over into an ArrayBuffer that nothing keeps from being transferred; so does
// ArrayBuffer.prototype.transfer() where there is one.
it('stays when it has been moved to another thread and its worker ends', () => {
  const answer = run(`
    const right = [];
    for (let round = 0; round < 30; round++) {
      const worker = start(\`
        const array = filled(1e5, 3);
        let moved = array.buffer;
        if (moved.transfer) moved = moved.transfer();
        else {
          let controller;
          const stream = new ReadableStream({ type: 'bytes', start: (c) => { controller = c; } });
          controller.enqueue(array);
          moved = (await stream.getReader().read()).value.buffer;
        }
        if (array.length !== 0) throw new Error('not moved');
        if (await norm(new Float32Array(moved)) !== 9e5) throw new Error('wrong');
        native.releaseMemory(array.buffer); // nothing: it is not its own any more
        parentPort.postMessage(moved, [moved]);
      \`);
      const memory = new Float32Array(await messageOf(worker));
      await worker.terminate();
      for (let i = 0; i < 20; i++) filled(1e5, 7);
      right.push(await norm(memory), memory[99999]);
    }
    console.log(new Set(right).size, ...new Set(right));
  `);
  expect(answer).toBe('2 900000 3');
}, 60_000);

/**
 * A process that ends with work in flight, in every way that a process ends: `node test/stress/exits.mjs [--rounds 3]`.
 * It ends at once, with the code or the signal that it was to end with, and says nothing on its way.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } });
const library = new URL('../../dist/index.js', import.meta.url).href;

const WORK = `
  const { GradientBuffer, Mixer, statistics } = await import(${JSON.stringify(library)});
  const length = 2_000_000;
  const kinds = {
    copied: () => new Float32Array(length).fill(1),
    shared: () => new Float32Array(new SharedArrayBuffer(4 * length)).fill(1),
    owned: () => { const buffer = GradientBuffer.allocate(length); buffer.array.fill(1); return buffer; },
  };
  const work = [];
  for (const kind of Object.values(kinds)) {
    const rows = [[kind(), kind()], [kind(), kind()]];
    for (let i = 0; i < 6; i++) work.push(statistics(rows, { samples: [[1, 1], [1, 1]], inner: true }));
    const mixer = new Mixer({ tasks: ['a', 'b'], batchSize: 8, updateInterval: 1, backend: 'cpu' });
    work.push(mixer.observe('a', rows[0][0], { samples: 1 }), mixer.measure(rows, { samples: [[1, 1], [1, 1]] }));
  }
  for (const each of work) each.catch(() => {});
  const soon = () => new Promise((later) => setTimeout(later, Math.random() * 8));
`;

/** Ways to end, and what is to be seen of each. */
const WAYS = {
  'process.exit at once': { script: 'process.exit(7);', code: 7 },
  'process.exit later': { script: 'await soon(); process.exit(7);', code: 7 },
  'process.exit in a callback': { script: 'work[0].then(() => process.exit(7));', code: 7 },
  'an uncaught exception': {
    script: 'await soon(); setImmediate(() => { throw new Error("on purpose"); });',
    code: 1,
    says: /on purpose/,
  },
  'an unhandled rejection': {
    script: 'await soon(); Promise.reject(new Error("on purpose"));',
    code: 1,
    says: /on purpose/,
  },
  SIGTERM: { script: 'await soon(); process.kill(process.pid, "SIGTERM");', signal: 'SIGTERM' },
  'SIGTERM, handled': {
    script:
      'process.on("SIGTERM", () => process.exit(9)); await soon(); process.kill(process.pid, "SIGTERM");',
    code: 9,
  },
  'the end of all work': { script: '', code: 0 },
  'more work in beforeExit': {
    script:
      'let more = 2; process.on("beforeExit", () => { if (more-- > 0) statistics([[kinds.shared(), kinds.owned()]], { samples: [[1, 1]] }); });',
    code: 0,
  },
  'work in exit': {
    script:
      'process.on("exit", () => { statistics([[kinds.owned(), kinds.owned()]], { samples: [[1, 1]] }); });',
    code: 0,
  },
  'process.exit within a worker': {
    script: `
      const { Worker } = await import('node:worker_threads');
      const body = 'import(' + JSON.stringify(${JSON.stringify(library)}) + ').then(({ statistics }) => {' +
        ' const row = new Float32Array(2e6); statistics([[row, row]], { samples: [[1, 1]] }); process.exit(3); })';
      new Worker(body, { eval: true }).on('exit', (code) => process.exit(code === 3 ? 7 : 1));
    `,
    code: 7,
  },
};

const LONGEST = 20_000;

function run(script) {
  return new Promise((done) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WORK + script], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: LONGEST,
      killSignal: 'SIGKILL',
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (text += data));
    child.on('close', (code, signal) => done({ code, signal, text }));
  });
}

let failed = 0;
for (const [name, way] of Object.entries(WAYS)) {
  let slowest = 0;
  for (let round = 0; round < Number(values.rounds); round++) {
    const begun = performance.now();
    const { code, signal, text } = await run(way.script);
    slowest = Math.max(slowest, performance.now() - begun);
    const fits =
      (way.signal ? signal === way.signal : code === way.code) &&
      (way.says ? way.says.test(text) : text === '');
    if (fits) continue;
    failed++;
    console.error(`exits: ${name}: ended with ${signal ?? code}, said:\n${text}`);
  }
  console.log(`exits: ${name}: ${values.rounds} times, ${slowest.toFixed(0)} ms at most`);
}
process.exitCode = failed > 0 ? 1 : 0;

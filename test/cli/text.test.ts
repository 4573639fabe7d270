/** Text that is not ours, as a terminal gets it: nothing in it is acted on, and no line of it stands as one of ours. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CommandFailure, explainFailure } from '../../lib/cli/exit-codes.js';
import { createProgress } from '../../lib/cli/progress.js';
import { table } from '../../lib/cli/table.js';
import { printable } from '../../lib/cli/text.js';
import { initialState, PikeError, type WeightRule } from '../../lib/index.js';
import { trainLogged } from '../support/logged-training.js';
import { catchingIo, type Ran, runCli } from './run-cli.js';

/** Clears the screen, turns text round, and pretends to be a line of ours. */
const HOSTILE = 'x\x1b[2J\u202ey\u2066\x9b1m\r\nerror: forged\x7f';
const SHOWN = 'x\\u001b[2J\\u202ey\\u2066\\u009b1m\\u000d\\u000aerror: forged\\u007f';
/** Of which only line ends are ours. */
const ACTED_ON = /(?!\n)[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;

let folder: string;
let log: string;
const at = (name: string) => join(folder, name);
const rule: WeightRule = {
  name: `rule ${HOSTILE}`,
  needs: { losses: true },
  init: (_, options) => initialState(options),
  update: (state) => ({ state }),
};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cli-text-'));
  log = at(`log ${HOSTILE}.jsonl`);
  const tasks = [`task ${HOSTILE}`, 'b', 'c'];
  await trainLogged({ path: log, run: `run ${HOSTILE}`, steps: 20, tasks, options: { rule } });
  // A notice of every kind of text: an event, a field and a run that are not known.
  const lines = [
    { event: `event ${HOSTILE}`, run: `run ${HOSTILE}`, step: 20, seconds: 1 },
    { event: 'step', run: `stray ${HOSTILE}`, step: 20, seconds: 1 },
    { event: 'skip', run: `run ${HOSTILE}`, step: 20, seconds: 1, task: 'b', reason: 'x', [HOSTILE]: 1 },
  ];
  writeFileSync(log, readFileSync(log, 'utf8') + lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
});
afterAll(() => rmSync(folder, { recursive: true }));

function expectHarmless({ out, err }: Pick<Ran, 'out' | 'err'>) {
  expect(out).not.toMatch(ACTED_ON);
  expect(err).not.toMatch(ACTED_ON);
  expect(`${out}\n${err}`).not.toMatch(/^error: forged/m);
}

describe('text that is not ours', () => {
  it('is shown with escapes, and all other text as it is', () => {
    expect(printable(HOSTILE)).toBe(SHOWN);
    for (const c of [
      '\0',
      '\t',
      '\x85',
      '\u200e',
      '\u200f',
      '\u061c',
      '\u2028',
      '\u2029',
      '\u202a',
      '\u2069',
    ])
      expect(printable(`a${c}b`)).toBe(`a\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}b`);
    for (const text of ['', 'ζ1 = 0.1', 'हिन्दी', 'עברית', '👩‍🔬 C:\\new\\u001b', '\ue000\ufffd'])
      expect(printable(text)).toBe(text);
  });

  it('does no harm in what report prints', async () => {
    const output = at(`page ${HOSTILE}.html`);
    const ran = await runCli('report', log, '-o', output);
    expect(ran.code).toBe(0);
    expectHarmless(ran);
    for (const what of ['run', 'task', 'rule', 'page']) expect(ran.out).toContain(`${what} ${SHOWN}`);
    expect(ran.out.trimEnd().split('\n')).toHaveLength(2);
    expect(ran.err).toContain(`notice: ${at(`log ${SHOWN}.jsonl`)}: line `);
    expect(ran.err.trimEnd().split('\n')).toHaveLength(3);
    expect(existsSync(output)).toBe(true);
  });

  it('does no harm in what replay prints', async () => {
    const ran = await runCli('replay', log, '--rule', 'pike');
    expect(ran.code).toBe(0);
    expectHarmless(ran);
    expect(ran.out).toContain(`run ${SHOWN}: weights after`);
    expect(ran.out).toContain(`logged (rule ${SHOWN})`);
    expect(ran.out).toContain(` task ${SHOWN} `);
    expect(ran.err).toContain('notice: as logged it cannot be replayed: Run "run x');
    expect(ran.err.trimEnd().split('\n')).toHaveLength(3);
  });

  it('does no harm in errors, whoever finds them', async () => {
    const cases: [number, ...string[]][] = [
      [2, 'replay', log],
      [2, 'replay', log, '--run', HOSTILE],
      [2, 'replay', log, '--rule', HOSTILE],
      [2, 'replay', log, '--zeta1', HOSTILE],
      [2, 'replay', log, '--set', HOSTILE],
      [2, 'report', log, '-o', log],
      [3, 'report', HOSTILE],
      [3, 'report', log, '-o', at(`none ${HOSTILE}/page.html`)],
      [2, 'report', log, `--${HOSTILE}`],
      [2, 'verify', '--seed', HOSTILE],
      [2, 'verify', '--backend', HOSTILE],
      [2, HOSTILE],
    ];
    for (const [code, ...args] of cases) {
      const ran = await runCli(...args);
      expect([ran.code, ran.out], args.join(' ')).toEqual([code, '']);
      expectHarmless(ran);
      expect(ran.err, args.join(' ')).toMatch(/(^|\n)error: .*x\\u001b\[2J\\u202ey/);
    }
    // The line ends of suggestions are commander's.
    expect((await runCli('doctor', '--jsno\x1b')).err).toMatch(/jsno\\u001b'\n\(Did you mean --json\?\)\n/);
  });

  it('does no harm in any error that reaches the shell', () => {
    const system = Object.assign(new Error(`ENOENT: ${HOSTILE}`), { syscall: 'open' });
    for (const error of [new PikeError('ERR_STATE', HOSTILE), new CommandFailure(3, HOSTILE), system])
      expect(explainFailure(error).text.replace(/^error: |\n$/g, '')).toContain(SHOWN);
    const { text } = explainFailure(new TypeError('x\x1b[2J\u202e'));
    expect(text).toMatch(/\nTypeError: x\\u001b\[2J\\u202e\n +at /);
  });

  it('does no harm in the advice of doctor', async () => {
    const before = process.env.PIKE_MIXER_ADDON;
    process.env.PIKE_MIXER_ADDON = `/none/${HOSTILE}`;
    try {
      const ran = await runCli('doctor');
      expectHarmless(ran);
      expect(ran.out).toContain(`PIKE_MIXER_ADDON=/none/x\\u001b`);
      expect(ran.out).toContain('PIKE_MIXER_ADDON names /none/x\\u001b');
    } finally {
      if (before === undefined) delete process.env.PIKE_MIXER_ADDON;
      else process.env.PIKE_MIXER_ADDON = before;
    }
  });

  it('does no harm in tables and in progress', () => {
    expect(table(['', HOSTILE], [[HOSTILE, '1']]).split('\n')).toEqual([
      expect.stringMatching(/^ +x\\u001b/),
      `${SHOWN}  1`,
      '',
    ]);
    let seconds = 0;
    const { io, printed } = catchingIo();
    const lines = createProgress(io, 10, () => seconds);
    seconds = 3;
    lines.update(1, HOSTILE);
    expect(printed().err).toBe(`10 %  27 s left  ${SHOWN}\n`);
    const terminal = catchingIo({ terminal: true, columns: 200 });
    const bar = createProgress(terminal.io, 10);
    bar.update(1, HOSTILE);
    bar.stop();
    const drawn = terminal.printed().err;
    expect(drawn).toContain(SHOWN);
    expect(drawn).not.toContain('\x1b[2J');
    expect(drawn).not.toContain('\u202e');
  });

  it('is the same string to whoever parses --json', async () => {
    for (const args of [
      ['report', log, '-o', at('page.html')],
      ['replay', log, '--rule', 'pike'],
    ]) {
      const { code, out } = await runCli(...args, '--json');
      expect(code).toBe(0);
      expectHarmless({ out, err: '' });
      const document = JSON.parse(out);
      expect((document.runs?.[0] ?? document).run).toBe(`run ${HOSTILE}`);
      expect((document.runs?.[0] ?? document).tasks[0]).toBe(`task ${HOSTILE}`);
    }
  });
});

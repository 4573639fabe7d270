/** `npm run bench -- rules`: every rule is timed, against its limit, in TypeScript and in native/math. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { broken } from '../../bench/report.js';
import { isNative, timeNative } from '../../bench/rules/native.js';
import { caseOf } from '../../bench/rules/problems.js';
import { limitOf, update } from '../../bench/rules/update.js';
import { PikeError } from '../../dist/errors.js';
import type { WeightRule } from '../../dist/rules/rule.js';
import { rules } from '../../dist/rules/rules.js';

const program = resolve(fileURLToPath(new URL('../../dist-bench/main.js', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'pike-bench-rules-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const bench = (...args: string[]) =>
  spawnSync(process.execPath, [program, 'rules', ...args], { cwd: folder, encoding: 'utf8' });

const NATIVE = ['pike', 'mirror', 'conceptual', 'balanced'];

describe('the command', () => {
  it('times every rule, small', () => {
    const json = join(folder, 'result.json');
    const { status, stdout, stderr } = bench('--size', 'tiny', '--json', json);
    expect(stdout).not.toContain('BROKEN');
    expect([status, stderr]).toEqual([0, 'bench rules: update …\n']);
    const result = JSON.parse(readFileSync(json, 'utf8'));
    expect(result).toMatchObject({ bench: 'rules', size: 'tiny', passed: true });
    const { data, notes } = result.parts.update;
    expect(data.tasks).toBe(128);
    const named = (name: string) => (each: { name: string }) => each.name.split(',')[0] === name;
    for (const rule of Object.keys(rules)) {
      const timed = data.typescript.filter(named(rule));
      const skipped = notes.some((note: string) => note.startsWith(`Skipped: ${rule}: `));
      expect(timed.length > 0 || skipped, rule).toBe(true);
      for (const each of timed) {
        expect(each.rule.median).toBeGreaterThan(0);
        expect(each.update.median).toBeGreaterThan(0);
      }
    }
    for (const rule of NATIVE) expect(data.native.some(named(rule)), rule).toBe(true);
    for (const { median, difference } of data.native) {
      expect(median).toBeGreaterThan(0);
      expect(difference).toBeLessThan(1e-12);
    }
  });

  it('explains itself, and says what is wrong with its flags', () => {
    expect(bench('--help').stdout).toContain('--quick');
    const { status, stderr } = bench('--part', 'x');
    expect([status, stderr]).toEqual([1, expect.stringMatching(/--part must be one of environment, update/)]);
  });
});

describe('a rule', () => {
  const slow: WeightRule = {
    ...rules.pike,
    name: 'slow',
    update(...given) {
      const until = performance.now() + 3;
      while (performance.now() < until);
      return rules.pike.update(...given);
    },
  };

  it('that takes longer than its limit is told', async () => {
    expect([limitOf('pike'), limitOf('gramian')]).toEqual([1, 20]);
    const report = await update('quick', { slow });
    expect(broken(report).map(({ what }) => what)).toEqual([
      'slow, defaults: ms per update',
      'slow, step shortened: ms per update',
      'slow, significance: ms per update',
    ]);
  });

  it('that needs what only its user knows is skipped, with the reason; a defect is not', async () => {
    const needy = (error: Error): WeightRule => ({
      ...rules.pike,
      name: 'needy',
      init() {
        throw error;
      },
    });
    const { notes } = await update('tiny', {
      needy: needy(new PikeError('ERR_INVALID_OPTION', 'it needs x.')),
    });
    expect(notes).toContain('Skipped: needy: it needs x.');
    await expect(update('tiny', { needy: needy(new Error('a defect')) })).rejects.toThrow('a defect');
  });
});

describe('native/math', () => {
  it('is left out, with the reason, without a compiler', async () => {
    const report = await update('tiny', { pike: rules.pike }, '/nowhere/c++');
    expect(report.notes).toContainEqual(
      expect.stringMatching(/^native\/math was not timed: \/nowhere\/c\+\+/),
    );
    expect(report.tables[0].rows[0][3]).toBe('');
  });

  it('is timed on the very problem: where it gives other weights, that shows', () => {
    const given = caseOf(rules.mirror, 'defaults', 16);
    const pike = caseOf(rules.pike, 'defaults', 16);
    // To native/math, a rule is its name.
    const { options } = pike.input;
    const mistaken = { ...rules.pike, name: 'mirror' };
    const other = {
      ...pike,
      rule: mistaken,
      input: { ...pike.input, options: { ...options, rule: mistaken } },
    };
    const timed = timeNative([given, pike, other], 'tiny');
    if (typeof timed === 'string') throw new Error(timed);
    expect(timed.map(({ difference }) => difference < 1e-12)).toEqual([true, true, false]);
    expect(timed[2].difference).toBeGreaterThan(1e-4);
    expect(isNative(given)).toBe(true);
    expect(isNative(caseOf(rules.pike, 'defaults', 16, { significance: 1 }))).toBe(false);
  });
});

/** One file under two spellings: what would be written over itself, or over a log that is read, is refused before anything is. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { isSame } from '../../lib/cli/output-file.js';
import { trainLogged } from '../support/logged-training.js';
import { runCli } from './run-cli.js';

const home = process.cwd();
let folder: string;
const at = (name: string) => join(folder, name);
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'output-file-'));
  process.chdir(folder);
  await trainLogged({ path: 'run.jsonl', steps: 20 });
  mkdirSync('inner');
  symlinkSync('.', 'here');
});
afterEach(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

/** Of a file in the folder. */
const spellings = (name: string) => [name, `./${name}`, at(name), `inner/../${name}`, `here/${name}`, 'link'];

it('--output and --report must not be one file, however it is spelt', async () => {
  for (const existing of [false, true]) {
    if (existing) writeFileSync('new', '');
    for (const report of spellings('new')) {
      symlinkSync('new', 'link');
      const before = readdirSync('.').sort();
      const { code, out, err } = await runCli(
        'replay',
        'run.jsonl',
        '-o',
        'new',
        '--report',
        report,
        '--force',
      );
      expect([code, out], report).toEqual([2, '']);
      expect(err).toMatch(/--output and --report name the same file/);
      expect(readdirSync('.').sort()).toEqual(before);
      rmSync('link');
    }
  }
  expect(readFileSync('new', 'utf8')).toBe('');
});

it('no output replaces a log that is read, however it is spelt', async () => {
  symlinkSync('run.jsonl', 'link');
  const log = readFileSync('run.jsonl', 'utf8');
  const before = readdirSync('.').sort();
  for (const output of spellings('run.jsonl'))
    for (const args of [
      ['report', 'run.jsonl', '-o', output],
      ['report', output, '-o', 'run.jsonl'],
      ['replay', 'run.jsonl', '-o', output],
      ['replay', 'run.jsonl', '--report', output],
    ]) {
      const { code, out, err } = await runCli(...args, '--force');
      expect([code, out], args.join(' ')).toEqual([2, '']);
      expect(err).toMatch(/ is a log to be read: the (HTML page|run log) would replace it/);
    }
  expect(readFileSync('run.jsonl', 'utf8')).toBe(log);
  expect(readdirSync('.').sort()).toEqual(before);
});

it('the standard output is no file that is named alike', async () => {
  const { code, out } = await runCli('replay', 'run.jsonl', '-o', '-', '--report', './-');
  expect(code).toBe(0);
  expect(out).toMatch(/^{"event":"start"/);
  expect(readFileSync('./-', 'utf8')).toMatch(/^<!DOCTYPE html>/);
});

it('blank space is all that is replaced unasked', async () => {
  for (const [text, code] of [
    ['', 0],
    [' \n', 0],
    [`${' '.repeat(600)}precious`, 2],
  ] as const) {
    writeFileSync('new', text);
    expect((await runCli('report', 'run.jsonl', '-o', 'new')).code, text).toBe(code);
    if (code !== 0) expect(readFileSync('new', 'utf8')).toBe(text);
  }
  const { code, err } = await runCli('report', 'run.jsonl', '-o', '');
  expect([code, err]).toEqual([2, expect.stringContaining('needs a file to go to, or -')]);
});

it('files of their own are none of that, and a link stays one', async () => {
  symlinkSync('page.html', 'link');
  const { code } = await runCli('replay', 'run.jsonl', '-o', 'inner/page.html', '--report', 'link');
  expect(code).toBe(0);
  expect(readFileSync('page.html', 'utf8')).toMatch(/^<!DOCTYPE html>/);
  expect(readFileSync('inner/page.html', 'utf8')).toMatch(/^{"event":"start"/);
  expect(lstatSync('link').isSymbolicLink()).toBe(true);
  expect(isSame('page.html', 'inner/page.html')).toBe(false);
});

it('links that lead nowhere, or round in circles, are no trouble', () => {
  symlinkSync('circle', 'circle');
  expect(isSame('circle', 'circle')).toBe(true);
  expect(isSame('circle', 'run.jsonl')).toBe(false);
  symlinkSync('missing/../roundabout', 'roundabout');
  expect(isSame('roundabout', 'roundabout')).toBe(true);
  expect(isSame('roundabout', 'run.jsonl')).toBe(false);
  symlinkSync('none/none', 'nowhere');
  expect(isSame('nowhere', 'here/none/none')).toBe(true);
  expect(existsSync('none')).toBe(false);
});

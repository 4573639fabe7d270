/** The command line as a whole: version, help, wrong usage, exit codes. */
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { CommandFailure, explainFailure } from '../../lib/cli/exit-codes.js';
import { PikeError } from '../../lib/errors.js';
import { VERSION } from '../../lib/version.js';
import { runCli } from './run-cli.js';

describe('pike-mixer', () => {
  it('prints its version', async () => {
    expect(await runCli('--version')).toEqual({ code: 0, out: `${VERSION}\n`, err: '' });
    expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  });

  it('prints help with examples and exit codes', async () => {
    const { code, out, err } = await runCli('--help');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^Usage: pike-mixer/);
    expect(out).toMatch(/Examples:\n {2}\$ pike-mixer /);
    for (const exit of [0, 1, 2, 3, 70]) expect(out).toMatch(new RegExp(`^ {2}${exit} +\\w`, 'm'));
  });

  it('has help with examples for every command', async () => {
    const { out } = await runCli('--help');
    const names = [...out.matchAll(/^ {2}([a-z]+) \[/gm)].map((match) => match[1]!);
    expect(names).toContain('doctor');
    for (const name of names.filter((name) => name !== 'help')) {
      const help = await runCli(name, '--help');
      expect(help.code, name).toBe(0);
      expect(help.out, name).toMatch(new RegExp(`Examples:\n {2}\\$ pike-mixer ${name}`));
    }
  });

  it('without a command, prints the help as an error', async () => {
    const { code, out, err } = await runCli();
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^Usage: pike-mixer/);
  });

  it('refuses an unknown command, and suggests one', async () => {
    const { code, out, err } = await runCli('docter');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/unknown command 'docter'\n\(Did you mean doctor\?\)/);
  });

  it('says why there is no help of an unknown command', async () => {
    const { code, out, err } = await runCli('help', 'docter');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/unknown command 'docter'\n\(Did you mean doctor\?\)/);
    for (const args of [['help'], ['help', 'help'], ['help', '--help']])
      expect(await runCli(...args)).toMatchObject({ code: 0, err: '', out: (await runCli('--help')).out });
    expect(await runCli('help', 'doctor')).toEqual(await runCli('doctor', '--help'));
  });

  it('refuses an unknown option and a superfluous argument of a command', async () => {
    const option = await runCli('doctor', '--jsno');
    expect({ code: option.code, out: option.out }).toEqual({ code: 2, out: '' });
    expect(option.err).toMatch(/Did you mean --json\?\)\n\(`pike-mixer doctor --help` tells more\)/);
    expect((await runCli('doctor', 'now')).code).toBe(2);
  });
});

describe('what an error means for the shell', () => {
  const usage = new Command().exitOverride().configureOutput({ writeErr: () => {} });
  let commander: unknown;
  try {
    usage.parse(['--nonsense'], { from: 'user' });
  } catch (error) {
    commander = error;
  }
  const missing = Object.assign(new Error('ENOENT: no such file'), { code: 'ENOENT', syscall: 'open' });
  const cases: [string, unknown, number, RegExp][] = [
    ['wrong usage, told by commander', commander, 2, /^$/],
    ['a bad option', new PikeError('ERR_INVALID_OPTION', 'No.'), 2, /^error: No\. \(ERR_INVALID_OPTION\)\n$/],
    ['a damaged file', new PikeError('ERR_STATE', 'No.'), 3, /^error: No\. \(ERR_STATE\)\n$/],
    ['a missing backend', new PikeError('ERR_NO_BACKEND', 'No.'), 1, /^error: No\. \(ERR_NO_BACKEND\)\n$/],
    ['a defect, as the library tells', new PikeError('ERR_INTERNAL', 'No.'), 70, /ERR_INTERNAL/],
    ['a missing file', missing, 3, /^error: ENOENT: no such file\n$/],
    ['a failed check', new CommandFailure(1), 1, /^$/],
    ['a failure with words', new CommandFailure(3, 'No.'), 3, /^error: No\.\n$/],
    ['any other error', new TypeError('x is not a function'), 70, /please report it\nTypeError: x is not/],
    ['what is no error', 'thrown', 70, /please report it\nthrown\n/],
  ];
  it.each(cases)('%s', (_, error, exitCode, text) => {
    const explained = explainFailure(error);
    expect(explained.exitCode).toBe(exitCode);
    expect(explained.text).toMatch(text);
  });
});

/** Commands of the documentation: whether what they name is there, and takes the arguments that they give. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './markdown.js';

const { scripts, bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
  bin?: Record<string, string>;
};

/** Words with which a piece of code is a command, and not a name or an expression. */
export const isCommand = (code: string) =>
  /^([A-Z][A-Z_]*=\S* )*(npm|node|npx|bash|sh|pike-mixer) \S/.test(code);

/** What is wrong with a line of a shell, or '' for nothing. `scriptsOfPage` are files that a reader has from the page. */
export function problemOf(line: string, scriptsOfPage: readonly string[] = []): string {
  const commands = line.replace(/(^|\s)#.*$/, '').split(/&&|;|\|/);
  return commands.map((command) => problemOfOne(command.trim(), scriptsOfPage)).find(Boolean) ?? '';
}

function problemOfOne(command: string, scriptsOfPage: readonly string[]): string {
  if (command === '') return '';
  const words = command.split(/\s+/);
  while (/^[A-Z][A-Z_]*=/.test(words[0])) {
    const [variable] = words.shift()!.split('=');
    if (!isVariable(variable)) return `nothing reads ${variable}`;
  }
  const [program, ...rest] = words;
  if (program === 'npm') return problemOfNpm(rest);
  if (program === 'npx') return problemOfNpx(rest);
  if (program === 'node') {
    const [file, ...args] = rest;
    return scriptsOfPage.includes(file) ? '' : problemOfScript(file, args);
  }
  if (program === 'bash' || program === 'sh')
    return existsSync(join(root, rest[0])) ? '' : `no file ${rest[0]}`;
  if (program === 'pike-mixer') return problemOfOurs(rest);
  return `not known how to check '${program}'`;
}

/** With how many words of ours npm's own commands are used. */
const npmCommands = ['ci', 'pack', 'install', 'audit'];

function problemOfNpm(words: readonly string[]): string {
  const [first, ...others] = words;
  if (npmCommands.includes(first)) return '';
  const [name, separator, ...args] =
    first === 'run' ? others : ['test', 'start'].includes(first) ? words : ['', ''];
  if (!name) return `'npm ${first}' is not among the commands that are checked`;
  const script = scripts[name];
  if (!script) return `no script '${name}'`;
  if (separator === undefined) return '';
  if (separator !== '--') return `npm takes '${separator}' for itself: -- must come before it`;
  const [program, file, ...given] = script.split(' ');
  return program === 'node' ? problemOfScript(file, [...given, ...args]) : problemOfOne(script, []);
}

function problemOfNpx(words: readonly string[]): string {
  const [program, ...args] = words;
  if (program === 'pike-mixer') return problemOfOurs(args);
  if (!existsSync(join(root, 'node_modules/.bin', program))) return `no program '${program}'`;
  if (program !== 'vitest') return '';
  const tests = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).map((file) =>
    join('test', file),
  );
  const unknown = args.find((arg) => arg.startsWith('test/') && !tests.some((test) => test.includes(arg)));
  return unknown ? `no test ${unknown}` : '';
}

function problemOfOurs(args: readonly string[]): string {
  const file = bin?.['pike-mixer'];
  return file ? problemOfScript(file, args) : 'the package has no such program';
}

function problemOfScript(file: string, args: readonly string[]): string {
  if (!file || !existsSync(join(root, file))) return `no file ${file}`;
  if (args.length === 0) return '';
  const help = helpOf(file, args);
  for (const [i, arg] of args.entries()) {
    if (!arg.startsWith('-')) continue;
    const [flag, value = args[i + 1]] = arg.split('=');
    if (!new RegExp(`${flag}(?![\\w-])`).test(help)) return `${file} has no ${flag}`;
    // A word in small letters is one of a choice, or the name of a file.
    if (value && /^[a-z]+$/.test(value) && !new RegExp(`\\b${value}\\b`).test(help))
      return `${file} has no ${flag} ${value}`;
  }
  return '';
}

const helps = new Map<string, string>();

/** What a program says of its arguments: by --help, or, where it has none, in its own text. */
function helpOf(file: string, args: readonly string[]): string {
  const commands = args.slice(0, args.findIndex((arg) => !/^[a-z][a-z-]*$/.test(arg)) >>> 0);
  const key = [file, ...commands].join(' ');
  const known = helps.get(key);
  if (known !== undefined) return known;
  let help: string;
  if (file.endsWith('.mjs')) {
    const text = readFileSync(join(root, file), 'utf8');
    help = Array.from(text.matchAll(/(\w[\w-]*): \{ type: '/g), ([, flag]) => `--${flag} `).join('') + text;
  } else {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, file), ...commands, '--help'],
      {
        encoding: 'utf8',
      },
    );
    help = status === 0 ? stdout : `(${stderr})`;
  }
  helps.set(key, help);
  return help;
}

let sources: string | undefined;

/** Whether anything in the project reads an environment variable of that name. */
export function isVariable(name: string): boolean {
  sources ??= ['lib', 'native', 'examples', 'bench', 'test', 'CMakeLists.txt', 'binding.gyp']
    .flatMap((path) => (path.includes('.') ? [path] : filesIn(path)))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  return new RegExp(`(env\\.|getenv\\("|ENV\\{|environ\\S*)${name}\\b`).test(sources);
}

function filesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(ts|mjs|cpp|h|cu)$/.test(file) && !/(^|\/)build\//.test(file))
    .map((file) => join(folder, file));
}

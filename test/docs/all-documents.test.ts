/** What holds for every Markdown file: all code is run, commands and links lead somewhere, what is named is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isCommand, isVariable, problemOf } from '../support/commands.js';
import { SHELL } from '../support/documents.js';
import { type Mark, markdownFiles, parseMarkdown, readMarkdown, root } from '../support/markdown.js';

const documents = markdownFiles().map(readMarkdown);
const tests = readdirSync(join(root, 'test/docs')).map((file) =>
  readFileSync(join(root, 'test/docs', file), 'utf8'),
);
const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

it('the documents are found', () => {
  const files = documents.map(({ file }) => file);
  for (const file of ['README.md', 'docs/guide.md', 'examples/resume/README.md'])
    expect(files).toContain(file);
  expect(files.filter((file) => file.includes('node_modules'))).toEqual([]);
});

describe.each(documents.map((document) => [document.file, document] as const))('%s', (file, document) => {
  it('has a test that runs its code', () => {
    const code = document.blocks.filter(({ language }) => !SHELL.includes(language));
    const calls = tests.map((test) => test.split(`describeDocument('${file}', `).length - 1);
    const found = calls.reduce((a, b) => a + b);
    expect(found).toBeLessThanOrEqual(1);
    if (code.length > 0) expect(found).toBe(1);
  });

  it('names commands that there are, with arguments that they take', () => {
    const shell = document.blocks
      .filter(({ language }) => SHELL.includes(language))
      .flatMap(({ text, place }) => text.split('\n').map((line): Mark => ({ text: line, place })));
    const scripts = document.blocks.flatMap(({ text }) => text.match(/^\/\/ (\S+\.mjs)$/m)?.[1] ?? []);
    const problems = [...shell, ...document.code.filter(({ text }) => isCommand(text))].flatMap((mark) => {
      const problem = problemOf(mark.text, scripts);
      return problem ? [`${mark.place}: ${mark.text}: ${problem}`] : [];
    });
    expect(problems).toEqual([]);
  });

  it('has links that lead somewhere', () => {
    const broken = document.links.filter(({ text: link }) => !leadsSomewhere(file, link));
    expect(broken.map(({ place, text }) => `${place}: ${text}`)).toEqual([]);
  });

  it('names files, error codes and environment variables that there are', () => {
    const errors = text('lib/errors.ts');
    const missing = document.code.filter(({ text: code }) => {
      if (/^(lib|native|test|docs|bench|examples|dist-examples|\.ci)\/[\w./-]*$/.test(code))
        return !existsSync(join(root, code));
      if (/^ERR_[A-Z_]+$/.test(code)) return !errors.includes(`'${code}'`);
      if (/^(PIKE|CUDA)_[A-Z_]+(=.*)?$/.test(code)) return !known(code.split('=')[0]);
      return false;
    });
    expect(missing.map(({ place, text }) => `${place}: ${text}`)).toEqual([]);
  });
});

/** CUDA_VISIBLE_DEVICES is CUDA's own. */
const known = (variable: string) => variable === 'CUDA_VISIBLE_DEVICES' || isVariable(variable);

function leadsSomewhere(file: string, link: string): boolean {
  if (link.startsWith('https://')) return URL.canParse(link);
  const [path, anchor] = link.split('#');
  const target = path === '' ? file : normalize(join(dirname(file), path));
  if (target.startsWith('..') || !existsSync(join(root, target))) return false;
  return anchor === undefined || (target.endsWith('.md') && readMarkdown(target).anchors.has(anchor));
}

describe('these checks find', () => {
  it.each([
    ['npm run nothing', /no script/],
    ['npm run demo -- --stock jax', /no --stock/],
    ['npm run demo -- --stack pytorch', /no --stack pytorch/],
    ['npm run demo --stack jax', /-- must come before/],
    ['npm run bench -- cpu --sized quick', /no --sized/],
    ['node dist-examples/nothing/main.js', /no file/],
    ['node native/build.mjs --tools=gyp', /no --tools/],
    ['npx vitest run test/nothing', /no test/],
    ['npx nothing-of-the-kind', /no program/],
    ['PIKE_NOTHING=1 npm test', /nothing reads PIKE_NOTHING/],
    ['npm ci && npm run nothing   # a remark', /no script/],
    ['rm -rf /', /not known/],
    ['npm run', /not among/],
  ])('%s', (line, problem) => {
    expect(problemOf(line)).toMatch(problem);
  });

  it('links to what is not there', () => {
    for (const link of ['nothing.md', 'guide.md#nothing', '#nothing', '../../outside', 'http://x.org'])
      expect(leadsSomewhere('docs/guide.md', link), link).toBe(false);
    for (const link of ['rules.md#with-your-data', '#what-to-choose', '../examples/resume', 'https://x.org'])
      expect(leadsSomewhere('docs/guide.md', link), link).toBe(true);
  });

  it('blocks, anchors and links where they are', () => {
    const lines = ['# A `b`, c!', '', '[x](y.md) `npm', 'test`', '```js', '# no [z](w.md)', '```', '# A b c'];
    const { blocks, anchors, links, code } = parseMarkdown('f.md', lines.join('\n'));
    expect(blocks).toEqual([{ language: 'js', text: '# no [z](w.md)\n', place: 'f.md:5' }]);
    expect([...anchors]).toEqual(['a-b-c', 'a-b-c-1']);
    expect(links).toEqual([{ text: 'y.md', place: 'f.md:3' }]);
    expect(code.at(-1)).toEqual({ text: 'npm test', place: 'f.md:3' });
    expect(() => parseMarkdown('f.md', '```js\n')).toThrow(/f\.md:1.*never closed/);
  });
});

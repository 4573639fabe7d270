/** The site that `npm run docs` makes of docstrings and documents. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as jax from '../../lib/adapters/jax.js';
import * as tfjs from '../../lib/adapters/tfjs.js';
import * as reference from '../../lib/backends/reference.js';
import * as main from '../../lib/index.js';
import { markdownFiles, root } from '../support/markdown.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-site-'));
afterAll(() => rmSync(folder, { recursive: true }));

const typedoc = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typedoc/bin/typedoc'), '--out', folder, ...args],
    { cwd: root, encoding: 'utf8' },
  );
  return { status, printed: stdout + stderr };
};
let built: ReturnType<typeof typedoc>;
let pages: string[];
const page = (name: string) => readFileSync(join(folder, name), 'utf8');
beforeAll(() => {
  built = typedoc();
  pages = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.html'));
}, 180_000);

describe('the site', () => {
  it('is built without a warning', () => {
    expect(built.printed).not.toMatch(/warning|error/i);
    expect(built.status).toBe(0);
    expect(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts.docs).toBe('typedoc');
  });

  it('begins with the README, and has a page for every document and every function and class', () => {
    expect(page('index.html')).toContain('href="https://arxiv.org/abs/2502.06244"');
    for (const file of markdownFiles().filter((name) => name !== 'README.md'))
      expect(pages, file).toContain(`documents/${file.replace(/\.md$/, '').replaceAll('/', '_')}.html`);
    for (const [module, exported] of Object.entries({
      'pike-mixer': main,
      'pike-mixer_tfjs': tfjs,
      'pike-mixer_jax': jax,
      'pike-mixer_reference': reference,
    }))
      for (const [name, value] of Object.entries(exported)) {
        const isClass = typeof value === 'function' && /^class\b/.test(Function.toString.call(value));
        const kind = typeof value !== 'function' ? 'variables' : isClass ? 'classes' : 'functions';
        expect(pages).toContain(`${kind}/${module}.${name}.html`);
      }
  });

  it('loads nothing from elsewhere, and tells nothing of where it was made', () => {
    for (const name of pages) {
      const loaded = [...page(name).matchAll(/<(?:script|img|iframe|link)\b[^>]*?(?:src|href)="([^"]*)"/g)];
      expect(loaded.length).toBeGreaterThan(0);
      for (const [, address] of loaded) expect(address, name).not.toMatch(/^(https?:)?\/\//);
      expect(page(name), name).not.toContain(root);
    }
  });

  it('has no broken link', () => {
    const anchors = new Map<string, Set<string>>();
    const anchorsOf = (file: string) => {
      const known =
        anchors.get(file) ?? new Set(Array.from(page(file).matchAll(/ id="([^"]*)"/g), ([, id]) => id));
      anchors.set(file, known);
      return known;
    };
    const broken: string[] = [];
    for (const name of pages)
      for (const [, href] of page(name).matchAll(/<a\b[^>]*? href="([^"]*)"/g)) {
        if (/^(https:|#$)/.test(href)) continue;
        const [path, anchor] = href.split('#').map(decodeURIComponent);
        const target = path === '' ? name : resolve('/', dirname(name), path).slice(1);
        const there = existsSync(join(folder, target));
        if (!there || (anchor && target.endsWith('.html') && !anchorsOf(target).has(anchor)))
          broken.push(`${name}: ${href}`);
      }
    expect(broken).toEqual([]);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { rules } from '../../lib/index.js';
import { madeRules } from '../../lib/rules/made-rules.js';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const doc = readFileSync(join(root, 'docs/rules.md'), 'utf8');

it('docs/rules.md has every rule in both of its tables, and marks what is derived', () => {
  const [, formulas, uses] = doc.split(/^\| `rule` /m);
  for (const name of [...Object.keys(rules), ...Object.keys(madeRules)]) {
    expect(formulas, name).toMatch(new RegExp(`^\\| \`'?${name}['(]`, 'm'));
    expect(uses, name).toMatch(new RegExp(`^\\| .*\`${name}\`.* \\|.*\\|.*\\|$`, 'm'));
  }
  const row = (name: string) => formulas!.split('\n').find((line) => line.startsWith(`| \`'${name}'`));
  for (const name of ['balanced', 'gramian']) expect(row(name)).toContain('**derived**');
  for (const name of ['pike', 'odm', 'famo']) expect(row(name)).not.toContain('derived');
});

it('its example runs as written, through the published entry point', () => {
  const [, example] = doc.match(/```js\n([\s\S]*?)```/)!;
  const [importLine, ...rest] = example!.split('\n');
  const surroundings = `
    const steps = 25;
    const seen = { en: 0, hi: 0, de: 0 };
    function trainByTask(counts) {
      ['en', 'hi', 'de'].forEach((task, k) => (seen[task] += counts[k]));
      return { en: 1, hi: 4, de: 1 };
    }`;
  const ending =
    'console.log(JSON.stringify({ seen, weights: Array.from(mixer.weights), fixed: Array.from(fixed.weights) }));';
  const folder = mkdtempSync(join(root, 'dist', 'rules-doc-'));
  try {
    const file = join(folder, 'example.mjs');
    writeFileSync(file, [importLine, surroundings, ...rest, ending].join('\n'));
    const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    const { seen, weights, fixed } = JSON.parse(stdout);
    expect(seen.en + seen.hi + seen.de).toBe(25 * 256);
    expect(weights[1]).toBeGreaterThan(0.4);
    // 9e6 : 2e5 : 1e6 to the power of a third.
    const shares = [9e6, 2e5, 1e6].map(Math.cbrt);
    const total = shares.reduce((a, b) => a + b);
    for (const [k, share] of shares.entries()) expect(fixed[k]).toBeCloseTo(share / total, 14);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

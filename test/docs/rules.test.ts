import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { rules } from '../../lib/index.js';
import { madeRules } from '../../lib/rules/made-rules.js';
import { describeDocument } from '../support/documents.js';
import { root } from '../support/markdown.js';
import { resultOf } from '../support/scripts.js';

const doc = readFileSync(join(root, 'docs/rules.md'), 'utf8');

describeDocument('docs/rules.md', (examples) => {
  it('has every rule in both of its tables, and marks what is derived', () => {
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
    const surroundings = `
    const steps = 25;
    const seen = { en: 0, hi: 0, de: 0 };
    function trainByTask(counts) {
      ['en', 'hi', 'de'].forEach((task, k) => (seen[task] += counts[k]));
      return { en: 1, hi: 4, de: 1 };
    }`;
    const ending =
      'console.log(JSON.stringify({ seen, weights: Array.from(mixer.weights), fixed: Array.from(fixed.weights) }));';
    const { seen, weights, fixed } = resultOf(examples.take('js'), surroundings, ending);
    expect(seen.en + seen.hi + seen.de).toBe(25 * 256);
    expect(weights[1]).toBeGreaterThan(0.4);
    // 9e6 : 2e5 : 1e6 to the power of a third.
    const shares = [9e6, 2e5, 1e6].map(Math.cbrt);
    const total = shares.reduce((a, b) => a + b);
    for (const [k, share] of shares.entries()) expect(fixed[k]).toBeCloseTo(share / total, 14);
  });
});

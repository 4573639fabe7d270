import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectDefaults } from '../support/defaults.js';
import { describeDocument } from '../support/documents.js';
import { root } from '../support/markdown.js';
import { run } from '../support/scripts.js';

const guide = readFileSync(join(root, 'docs/guide.md'), 'utf8');

/** Applies a diff whose hunks, apart by `@@`, each fit the script at one place. */
function patched(script: string, diff: string): string {
  return diff.split(/^@@\n/m).reduce((text, hunk) => {
    const lines = hunk.trimEnd().split('\n');
    const side = (left: RegExp) =>
      lines
        .filter((line) => left.test(line) || line === '')
        .map((line) => line.slice(1))
        .join('\n');
    const [before, after] = [side(/^[ -]/), side(/^[ +]/)];
    expect(text.split(before).length, `places for:\n${before}`).toBe(2);
    return text.replace(before, () => after);
  }, script);
}

/** The scripts draw random numbers: always the same ones, or what is expected of them would now and then not come. */
const seeded = '{ let seed = 1; Math.random = () => (seed = (seed * 16807) % 2147483647) / 2147483647; }\n';

/** The last lines of the patched script, to see into it. */
const telling =
  '\nconsole.log(JSON.stringify({ step: mixer.step, due: mixer.due, weights: Array.from(mixer.weights) }));';

describeDocument('docs/guide.md', (examples) => {
  const [trainScript, fitScript] = [examples.take('js'), examples.take('js')];
  const diffs = [examples.take('diff'), examples.take('diff')];

  it('adds at most ten lines to either script', () => {
    for (const diff of diffs)
      expect(diff.split('\n').filter((line) => line.startsWith('+')).length).toBeLessThanOrEqual(10);
    const [added, removed] = ['+', '-'].map(
      (sign) => diffs[0].split('\n').filter((line) => line.startsWith(sign)).length,
    );
    expect([added, removed]).toEqual([5, 10]);
  });

  it('its training script runs as written, and mixes once the diff is applied', () => {
    const plain = run(trainScript, { STEPS: '24' });
    expect(plain.stderr.replaceAll(/^(?!.*Error).*$/gm, '').trim()).toBe('');
    expect(plain.status).toBe(0);
    expect(plain.stdout).toMatch(/step 24: loss \d.*\nline \d.*\nwave \d.*\nnoise \d/);

    const mixed = run(seeded + patched(trainScript, diffs[0]) + telling, { STEPS: '24' });
    expect(mixed.status, mixed.stderr).toBe(0);
    expect(mixed.stdout).toMatch(/step 24: loss \d.*\nline \d.*\nwave \d.*\nnoise \d/);
    const { step, weights } = JSON.parse(mixed.stdout.trim().split('\n').at(-1)!);
    expect(step).toBe(24);
    // Measured at steps 11 and 21: no longer uniform.
    expect(Math.max(...weights) - Math.min(...weights)).toBeGreaterThan(1e-4);
  });

  it('its fitDataset script runs as written, and mixes once the diff is applied', () => {
    const plain = run(fitScript, { EPOCHS: '2' });
    expect(plain.status, plain.stderr).toBe(0);
    expect(plain.stdout).toMatch(/loss: \[/);

    const mixed = run(seeded + patched(fitScript, diffs[1]) + telling, { EPOCHS: '2' });
    expect(mixed.status, mixed.stderr).toBe(0);
    expect(mixed.stdout).toMatch(/weight_flat: \[/);
    const { step, weights } = JSON.parse(mixed.stdout.trim().split('\n').at(-1)!);
    expect(step).toBeGreaterThanOrEqual(40);
    expect(weights[1]).toBeGreaterThan(weights[0]);
  });

  it('explains every warning, every reason of a miss and every flag of a report', () => {
    const rowOf = (name: string) => guide.split('\n').filter((line) => line.startsWith(`| \`${name}\` |`));
    const sources = readdirSync(join(root, 'lib'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join(root, 'lib', file), 'utf8'));
    const codes = new Set(sources.flatMap((text) => text.match(/WARN_[A-Z_]+/g) ?? []));
    expect(codes.size).toBeGreaterThanOrEqual(9);
    for (const code of codes) expect(rowOf(code).length, code).toBe(1);
    const report = readFileSync(join(root, 'lib/mixer/report.ts'), 'utf8');
    const [, reasons] = report.match(/type MissReason =([^;]*);/)!;
    const named = [...reasons.matchAll(/'([^']+)'/g)].map(([, reason]) => reason);
    expect(named.length).toBeGreaterThanOrEqual(4);
    for (const reason of named) expect(rowOf(reason).length, reason).toBe(1);
    for (const flag of ['clipped', 'floored', 'held', 'limited', 'projected', 'passedOver', 'heterogeneity'])
      expect(guide, flag).toContain(`\`${flag}\``);
  });

  it('its table has the defaults that the code has', () => {
    expectDefaults(guide, [
      'updateInterval',
      'zeta1',
      'zeta2',
      'microBatches',
      'microBatchSize',
      'smoothing',
      'minWeight',
      'minPerTask',
      'priorPull',
      'maxLogStep',
      'scale',
      'significance',
    ]);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { resolveOptions } from '../../lib/mixer/options.js';

const root = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** What the example leaves to its reader: a model that learns, and the variables around the loop. */
const surroundings = `
const steps = 25;
const drawn = { en: 0, hi: 0, de: 0 };
function gradientOf(task, samples) {
  const size = { en: 3, hi: 2, de: 1 }[task];
  const gradient = Float32Array.from({ length: 50 }, (_, i) => size + Math.sin(i * 7 + drawn[task]) / samples);
  drawn[task] += samples;
  return { gradient, loss: size };
}
let trained = 0;
function train(counts) {
  trained += counts.reduce((a, b) => a + b, 0);
}
`;

describe('README', () => {
  it('its example runs as written, through the published entry point', () => {
    const [, example] = readme.match(/```js\n([\s\S]*?)```/)!;
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(16);
    const [importLine, ...rest] = example.split('\n');
    // Inside the package's own folder, so that 'pike-mixer' resolves by its exports, to the built files.
    const folder = mkdtempSync(join(root, 'dist', 'readme-'));
    try {
      const file = join(folder, 'example.mjs');
      const ending = 'console.log(JSON.stringify({ trained, weights: Array.from(mixer.weights), drawn }));';
      writeFileSync(file, [importLine, surroundings, ...rest, ending].join('\n'));
      const { status, stdout, stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
      expect(stderr).toBe('');
      expect(status).toBe(0);
      const result = JSON.parse(stdout);
      expect(result.trained).toBe(25 * 256);
      expect(result.weights[0]).toBeGreaterThan(result.weights[2]);
      // Three measurements of 4 micro-batches of 21 samples.
      expect(result.drawn).toEqual({ en: 252, hi: 252, de: 252 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('its table has the defaults that the code has', () => {
    const options = resolveOptions({ tasks: ['a', 'b'], batchSize: 80 });
    const cell = (name: string) => {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\``));
      return row?.split('|')[2].trim().replaceAll('`', '');
    };
    for (const name of [
      'updateInterval',
      'microBatches',
      'zeta1',
      'maxLogStep',
      'smoothing',
      'clipNorms',
      'minPerTask',
    ] as const)
      expect(cell(name), name).toBe(String(options[name]));
    expect(cell('rule')).toBe(`'${options.rule.name}'`);
    expect(cell('scale')).toBe(`'${options.scale}'`);
    expect(cell('priorPull (ours)') ?? readme).toContain(String(options.priorPull));
    expect([cell('minWeight'), options.minWeight]).toEqual(['0.5/K', 0.25]);
    expect([cell('zeta2'), options.zeta2]).toEqual(['0.1 · ζ1', 0.1 * options.zeta1]);
    expect([cell('microBatchSize'), options.microBatchSize]).toEqual(['b/(K·m)', 10]);
  });
});

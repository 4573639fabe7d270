import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectDefaults } from '../support/defaults.js';
import { describeDocument } from '../support/documents.js';
import { root } from '../support/markdown.js';
import { resultOf, runIn, scriptFolder } from '../support/scripts.js';

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

describeDocument('README.md', (examples) => {
  it('its example runs as written, through the published entry point', () => {
    const example = examples.take('js');
    expect(example.trimEnd().split('\n').length).toBeLessThanOrEqual(16);
    const ending = 'console.log(JSON.stringify({ trained, weights: Array.from(mixer.weights), drawn }));';
    const result = resultOf(example, surroundings, ending);
    expect(result.trained).toBe(25 * 256);
    expect(result.weights[0]).toBeGreaterThan(result.weights[2]);
    // Three measurements of 4 micro-batches of 21 samples.
    expect(result.drawn).toEqual({ en: 252, hi: 252, de: 252 });
  });

  it('its two lines of a MixedSource run as written', () => {
    const code = examples.take('js');
    const stops = code.replace('train(samples);', '{ train(samples); if (--left === 0) break; }');
    expect(stops).not.toBe(code);
    const folder = scriptFolder();
    try {
      for (const task of ['en', 'hi'])
        writeFileSync(
          join(folder, `${task}.jsonl`),
          Array.from({ length: 100 }, (_, i) => `{"text": "${task} ${i}"}\n`).join(''),
        );
      const before = `
        import { jsonLines, Mixer, MixedSource } from 'pike-mixer';
        const mixer = new Mixer({ tasks: ['en', 'hi', 'de'], batchSize: 64 });
        const german = [{ text: 'de 0' }, { text: 'de 1' }];
        let left = 5;
        const seen = [];
        const train = (samples) => seen.push(...samples.map(({ text }) => text.slice(0, 2)));\n`;
      const { status, stdout, stderr } = runIn(folder, `${before}${stops}\nconsole.log(seen.join());`);
      expect([status, stderr]).toEqual([0, '']);
      const seen = stdout.trim().split(',');
      expect(seen.length).toBe(5 * 64);
      expect(new Set(seen)).toEqual(new Set(['en', 'hi', 'de']));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('its table has the defaults that the code has', () => {
    expectDefaults(readme, ['rule', 'updateInterval', 'zeta1', 'minWeight', 'minPerTask', 'scale']);
  });
});

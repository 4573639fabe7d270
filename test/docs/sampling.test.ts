import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeDocument } from '../support/documents.js';
import { root } from '../support/markdown.js';
import { runIn, scriptFolder } from '../support/scripts.js';

const doc = readFileSync(join(root, 'docs/sampling.md'), 'utf8');

/** What the examples leave to their reader: data, a model that learns, and a place to see what it was trained on. */
const surroundings = `
const german = Array.from({ length: 150 }, (_, i) => ({ text: 'de ' + i }));
const gradientOf = (samples) => Float32Array.from({ length: 20 }, (_, i) => samples.length + Math.sin(i + samples[0].text.length));
const trained = [];
const train = (samples) => { trained.push(...samples.map(({ text }) => text)); };
let weights = 0;
const weightsOf = () => trained.length + weights;
const setWeights = (model) => { weights = model; };
`;
const ending =
  "console.log(JSON.stringify({ trained, weights, active: mixer.activeTasks, step: mixer.step, file: await loadState('run.json') }));";

let folder: string;
beforeAll(() => {
  folder = scriptFolder();
  for (const task of ['en', 'hi'])
    writeFileSync(
      join(folder, `${task}.jsonl`),
      Array.from({ length: 3000 }, (_, i) => `${JSON.stringify({ text: `${task} ${i}` })}\n`).join(''),
    );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the lines of an example, which begins with its import, between ours. */
function runs(example: string, before: string, after: string) {
  const [, imported, rest] = example.match(/^import \{ (.*?) \} from 'pike-mixer';\n([\s\S]*)/)!;
  const names = new Set([...imported.split(', '), 'loadState', 'saveState']);
  const head = `import { ${[...names].join(', ')} } from 'pike-mixer';`;
  const script = [head, surroundings, before, rest, after, ending].join('\n');
  const { status, stdout, stderr } = runIn(folder, script);
  expect([status, stderr]).toEqual([0, '']);
  const lines = stdout.trimEnd().split('\n');
  return { ...JSON.parse(lines.at(-1)!), lines };
}

describeDocument('docs/sampling.md', (examples) => {
  const [begin, resume, failure] = [1, 2, 3].map(() => examples.take('js'));

  it('its examples run as written, one after the other, through the published entry point', () => {
    const goOn = 'for await (const { samples, step } of mixed) { train(samples); if (step === 59) break; }';
    const whole = runs(begin, 'const steps = 60;', '');
    expect(whole.trained.length).toBe(60 * 64);
    expect(whole.active).toEqual(['en', 'hi']);
    expect(whole.trained.filter((text: string) => text.startsWith('de')).length).toBe(150);
    // Saved at step 60, after the training step.
    expect(whole.file.model).toBe(60 * 64);

    const first = runs(begin, 'const steps = 47;', '');
    expect(first.file.model).toBe(40 * 64);
    // No measurement from there on, which would move the weights: the order of the samples is the same as without.
    const second = runs(resume, '', goOn);
    expect(second.weights).toBe(40 * 64);
    expect(second.step).toBe(60);
    expect(second.trained.length).toBe(20 * 64);
    for (const task of ['en', 'hi', 'de']) {
      const of = (texts: string[]) => texts.filter((text) => text.startsWith(task));
      const after = of(whole.trained.slice(40 * 64));
      const same = Math.min(after.length, of(second.trained).length);
      expect(of(second.trained).slice(0, same)).toEqual(after.slice(0, same));
    }
  });

  it('and the one of a failure', () => {
    const imports = "import { indexSpace, Mixer, MixedSource } from 'pike-mixer';\n";
    const broken = `
      const mixer = new Mixer({ tasks: ['en', 'de'], batchSize: 10 });
      async function* breaks() { for (let i = 0; i < 12; i++) yield { text: 'en ' + i }; throw new Error('the disk is gone'); }
      const mixed = new MixedSource({ mixer, sources: { en: breaks, de: german } });`;
    const result = runs(imports, '', broken + failure);
    expect(result.trained.length).toBe(20);
    expect(result.lines[0]).toBe(
      "Source 'en' failed: The iterable failed after 12 samples: the disk is gone",
    );
    expect(result.file.mixed.mixer.step).toBe(2);
  });

  it('names the defaults and the errors that the code has', () => {
    const source = readFileSync(join(root, 'lib/sampling/mixed-source.ts'), 'utf8');
    expect(doc).toContain('default five minutes');
    expect(source).toContain('options.timeout ?? 300_000');
    expect(doc).toContain('default 2b/K');
    expect(source).toContain('Math.ceil((2 * mixer.batchSize) / K)');
    const errors = readFileSync(join(root, 'lib/errors.ts'), 'utf8');
    for (const [code] of doc.matchAll(/ERR_[A-Z]+/g)) expect(errors).toContain(`'${code}'`);
  });
});

/** The code blocks of documents that hold one or two. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expectDefaults } from '../support/defaults.js';
import { describeDocument } from '../support/documents.js';
import { readMarkdown, root } from '../support/markdown.js';
import { resultOf } from '../support/scripts.js';

describeDocument('docs/cpu.md', (examples) => {
  it('its GradientBuffer is filled and observed as written', () => {
    const before = `
      import { Mixer } from 'pike-mixer';
      const mixer = new Mixer({ tasks: ['en', 'hi'], batchSize: 8 });
      const parameters = 1000;
      const samples = 4;
      const fill = (array) => { if (!(array instanceof Float32Array && array.length === 1000)) throw new Error('not it'); array.fill(1); };`;
    const after = `
      const second = GradientBuffer.allocate(parameters);
      fill(second.array);
      await mixer.observe('en', second, { samples });
      const { statistics } = await mixer.update();
      let refused;
      try { await mixer.observe('en', gradient, { samples }); } catch (error) { refused = error.code; }
      console.log(JSON.stringify({ norm: statistics.normSquared[0], refused }));`;
    const result = resultOf(examples.take('js'), before, after);
    expect(result.norm).toBeCloseTo(1000, 6);
    expect(result.refused).toBe('ERR_DETACHED');
  });
});

describeDocument('docs/gramian.md', (examples) => {
  it('its two forms give weights, and the same, as written', () => {
    const before = `
      import { gramian, Mixer } from 'pike-mixer';
      const tasks = ['a', 'b'];
      const weights = [0.5, 0.5];
      const statistics = { normSquared: [4, 1], variance: [8, 8], inner: [4, 1, 1, 1] };`;
    const after = `
      for (const [task, x] of [['a', 3], ['b', 1]])
        for (const by of [-1, 1]) await mixer.observe(task, Float32Array.of(x + by, 1), { samples: 8 });
      const report = await mixer.update();
      console.log(JSON.stringify({ moved: Array.from(report.weights), inner: report.statistics.inner !== null, w: Array.from(w) }));`;
    const { moved, inner, w } = resultOf(examples.take('ts'), before, after);
    expect(inner).toBe(true);
    expect(moved[0]).toBeGreaterThan(0.5);
    // d = −η wᵀG1 + (Lη²/2)(wᵀGw + (1/b) Σ w σ²) is least in the corner of the first task: −0.1·5 + 0.01·4 + …
    expect(w).toEqual([1, 0]);
  });
});

describeDocument('examples/custom-loop/README.md', (examples) => {
  it('the part to copy measures on the training batches, as written', () => {
    const before = `
      import { MixedSource, Mixer } from 'pike-mixer';
      const tasks = ['a', 'b'];
      const mixer = new Mixer({ tasks, batchSize: 24 });
      const sources = { a: Array.from({ length: 50 }, (_, i) => i), b: Array.from({ length: 60 }, (_, i) => -i) };
      const whole = new MixedSource({ mixer, sources, seed: 1 });
      async function* first(steps) { for await (const batch of whole) { yield batch; if (--steps === 0) return; } }
      const mixed = first(25);
      // Filled as the comment in the middle says it: rows, samples and losses of the batch at work.
      let [rows, samples, losses] = [[], [], []];
      let taken = 0;
      const split = (list, parts) => {
        const size = Math.ceil(list.length / parts);
        const lists = Array.from({ length: parts }, (_, i) => list.slice(i * size, (i + 1) * size)).filter((l) => l.length > 0);
        if (rows.length === tasks.length) [rows, samples, losses] = [[], [], []];
        rows.push(lists.map((l, i) => Float32Array.of(l.length, list[0] < 0 ? 1 : 3, i % 2)));
        samples.push(lists.map((l) => l.length));
        losses.push(lists.map(() => 1));
        taken += list.length;
        return lists;
      };`;
    const after = `
      console.log(JSON.stringify({ taken, step: mixer.step, due: mixer.due, weights: Array.from(mixer.weights) }));`;
    const result = resultOf(examples.take('js'), before, after);
    expect(result).toMatchObject({ taken: 25 * 24, step: 25, due: false });
    expect(result.weights[0]).toBeGreaterThan(0.51);
  });
});

describeDocument('examples/resume/README.md', (examples) => {
  it('what to copy saves, and goes on with the same samples, as written', () => {
    const example = examples.take('js');
    const before = `
      import { existsSync } from 'node:fs';
      import { mkdtempSync, rmSync } from 'node:fs';
      import { loadState, MixedSource, Mixer, saveState } from 'pike-mixer';
      const folder = mkdtempSync('./resume-');
      const [path, tasks, batchSize, saveEvery] = [folder + '/state.json', ['a', 'b'], 6, 4];
      const sources = { a: Array.from({ length: 50 }, (_, i) => 'a' + i), b: Array.from({ length: 60 }, (_, i) => 'b' + i) };
      const model = { parameters: Float64Array.of(0) };
      const seen = [];
      async function go(last) {`;
    // Every batch is seen, and the run ends where it is told to, as a kill would end it.
    const watched = example
      .replace('// …', 'seen.push(batch.samples.join()); model.parameters[0]++; // …')
      .replace(/\n\}\n$/, '\n  if (mixed.mixer.step === last) break;\n}\n');
    expect(watched.match(/seen\.push|=== last/g)).toHaveLength(2);
    const after = `
      }
      await go(22);
      const first = seen.splice(0);
      await go(22);
      const again = seen.splice(0);
      rmSync(folder, { recursive: true });
      console.log(JSON.stringify({ first, again, parameter: model.parameters[0] }));`;
    const { first, again, parameter } = resultOf(`${before}\n${watched}\n${after}`, '', '');
    expect(first.length).toBe(22);
    expect(again).toEqual(first.slice(20));
    expect(parameter).toBe(22);
  });
});

/** All text of the library, its native part and its builds. */
const sources = ['lib', 'native']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  .filter((file) => /\.(ts|mjs|cpp|h)$/.test(file))
  .concat('CMakeLists.txt', 'binding.gyp')
  .map((file) => readFileSync(join(root, file), 'utf8'))
  .join('\n');

describeDocument('docs/install.md', (examples) => {
  const doc = readFileSync(join(root, 'docs/install.md'), 'utf8');

  it('its look at the backend runs as written', () => {
    const { name, reason } = resultOf(
      examples.take('js'),
      '',
      'console.log(JSON.stringify({ name, reason }));',
    );
    expect(name).toBe('cpu');
    expect(reason.length).toBeGreaterThan(10);
  });

  it('quotes messages that somebody can see', () => {
    const [, table] = doc.split('## Trouble');
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows)
      for (const [, quoted] of row.split(' | ')[0].matchAll(/`([^`]+)`/g))
        expect(sources.includes(quoted), quoted).toBe(true);
  });

  it('has every variable that the library and its build read', () => {
    const read = new Set(
      Array.from(sources.matchAll(/(?:env\.|getenv\("|ENV\{)(PIKE_\w+|CUDA\w+|CXX)/g), ([, name]) => name),
    );
    expect(read.size).toBeGreaterThanOrEqual(6);
    for (const name of read) expect(doc, name).toContain(`\`${name}\``);
  });
});

describeDocument('docs/README.md', () => {
  it('leads to every page', () => {
    const { links } = readMarkdown('docs/README.md');
    for (const page of readdirSync(join(root, 'docs')).filter((name) => name !== 'README.md'))
      expect(links.map(({ text }) => text)).toContain(page);
    for (const folder of readdirSync(join(root, 'examples'), { withFileTypes: true }))
      if (folder.isDirectory())
        expect(
          links.some(({ text }) => text.startsWith(`../examples/${folder.name}/`)),
          folder.name,
        ).toBe(true);
  });
});

describeDocument('docs/options.md', () => {
  const doc = readFileSync(join(root, 'docs/options.md'), 'utf8');

  it('has every option, and the defaults that the code has', () => {
    const source = readFileSync(join(root, 'lib/mixer/options.ts'), 'utf8');
    const [, body] = source.match(/export interface MixerOptions \{([\s\S]*?)\n\}/)!;
    const names = Array.from(body.matchAll(/^ {2}(\w+)\??:/gm), ([, name]) => name);
    expect(names.length).toBeGreaterThan(25);
    for (const name of names) expect(doc, name).toMatch(new RegExp(`^\\|[^|]*\`${name}\``, 'm'));
    expectDefaults(doc, [
      'rule',
      'updateInterval',
      'microBatches',
      'microBatchSize',
      'zeta1',
      'zeta2',
      'scale',
      'minWeight',
      'maxLogStep',
      'priorPull',
      'smoothing',
      'clipNorms',
      'significance',
      'minPerTask',
      'seed',
    ]);
  });

  it('has every code of an error', () => {
    const codes = new Set(readFileSync(join(root, 'lib/errors.ts'), 'utf8').match(/ERR_[A-Z_]+/g));
    expect(codes.size).toBeGreaterThan(15);
    for (const code of codes) expect(doc).toMatch(new RegExp(`^\\| \`${code}\` \\|`, 'm'));
  });
});

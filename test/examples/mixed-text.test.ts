import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../../examples/mixed-text/arguments.js';
import { base64Noise, serverLog } from '../../examples/mixed-text/generated-text.js';
import { compilerMessages, nodeDocumentation } from '../../examples/mixed-text/installed-text.js';
import { builtInMixture, userMixture } from '../../examples/mixed-text/mixtures.js';
import { ByteModel } from '../../examples/mixed-text/model.js';
import { createProgress } from '../../examples/mixed-text/progress.js';
import { Random } from '../../examples/mixed-text/random.js';
import { drawWindows, leastBytes, Source, type Windows } from '../../examples/mixed-text/sources.js';
import { UsageError } from '../../examples/mixed-text/usage-error.js';
import { readUserText } from '../../examples/mixed-text/user-text.js';
import { startWasm } from '../../examples/mixed-text/wasm-matmul.js';
import { WeightAverage } from '../../examples/mixed-text/weight-average.js';

const context = 16;
const text = (length: number) =>
  Buffer.from('The quick brown fox. '.repeat(length / 21 + 1).slice(0, length));
/** Of one source. */
const sample = (source: Source, random: Random, count: number) => drawWindows([source], [random], [count]);

function joined(parts: readonly Windows[]): Windows {
  return {
    count: parts.reduce((sum, part) => sum + part.count, 0),
    contexts: Uint8Array.from(parts.flatMap((part) => [...part.contexts])),
    targets: Uint8Array.from(parts.flatMap((part) => [...part.targets])),
  };
}

describe('random', () => {
  it('depends on the labels alone', () => {
    const draws = (random: Random) => Array.from({ length: 5 }, () => random.bits());
    expect(draws(Random.named(1, 'a'))).toEqual(draws(Random.named(1, 'a')));
    expect(draws(Random.named(1, 'a'))).not.toEqual(draws(Random.named(2, 'a')));
    expect(draws(Random.named(1, 'a'))).not.toEqual(draws(Random.named(1, 'b')));
  });

  it('is uniform and uncorrelated to the eye of a chi-squared test', () => {
    const random = Random.named('uniform');
    const cells = new Float64Array(256);
    const draws = 256 * 400;
    for (let i = 0; i < draws; i++) cells[16 * random.integer(16) + random.integer(16)]! += 1;
    const expected = draws / 256;
    const chiSquared = cells.reduce((sum, cell) => sum + (cell - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeGreaterThan(165);
    expect(chiSquared).toBeLessThan(365);
  });
});

describe('sources', () => {
  it('are real text, large enough, and the same each time', () => {
    const prose = Buffer.concat(nodeDocumentation());
    expect(prose.length).toBeGreaterThan(300_000);
    const shown = prose.toString();
    // Letters and spaces make up prose; code, markup and tables have far fewer.
    expect(shown.match(/[a-z ]/g)!.length / shown.length).toBeGreaterThan(0.88);
    expect(shown).not.toMatch(/```|\n\s*\* |@param/);
    expect(Buffer.concat(nodeDocumentation()).equals(prose)).toBe(true);
    for (const language of ['de', 'ru', 'ja'])
      expect(Buffer.concat(compilerMessages(language)).length).toBeGreaterThan(150_000);
    expect(base64Noise(5000)[0]!.toString()).toMatch(/^[A-Za-z0-9+/]{5000}$/);
    expect(serverLog(5000)).toEqual(serverLog(5000));
  });

  it('hold out the end of every document, and nothing of it is trained on', () => {
    const marked = [1, 2, 3].map((mark) =>
      Uint8Array.from({ length: 1000 }, (_, i) => (i < 900 ? mark : 100 + mark)),
    );
    const source = new Source('marked', marked, context);
    const bytes = (windows: Windows) => new Set([...windows.contexts, ...windows.targets]);
    expect([...bytes(source.heldOut)].sort()).toEqual([101, 102, 103]);
    expect([...bytes(sample(source, Random.named(1), 5000))].sort()).toEqual([1, 2, 3]);
    expect(source.trainBytes).toBe(2700);
  });

  it('give one stream per seed and task, however it is cut into batches', () => {
    const source = new Source('t', [text(4000)], context);
    const whole = sample(source, Random.named(7, 't'), 8);
    const random = Random.named(7, 't');
    expect(joined([sample(source, random, 3), sample(source, random, 0), sample(source, random, 5)])).toEqual(
      whole,
    );
    expect(whole.contexts).toHaveLength(8 * context);
    const two = [source, new Source('u', [text(2000)], context)];
    const streams = () => two.map(({ name }) => Random.named(7, name));
    expect(drawWindows(two, streams(), [8, 0])).toEqual(whole);
    const [first, second] = two.map((each, k) => sample(each, streams()[k]!, 4));
    expect(drawWindows(two, streams(), [4, 4])).toEqual(joined([first!, second!]));
    const after = Buffer.from(text(4000));
    for (let i = 0; i < 8; i++) {
      const window = Buffer.from([
        ...whole.contexts.subarray(i * context, (i + 1) * context),
        whole.targets[i]!,
      ]);
      expect(after.includes(window)).toBe(true);
    }
  });

  it('split short text too, down to a limit', () => {
    const source = new Source('short', [text(leastBytes)], context);
    expect(source.heldOut.count).toBeGreaterThanOrEqual(40);
    expect(() => new Source('tiny', [text(leastBytes - 1)], context)).toThrow('511 bytes are too few');
    expect(() => new Source('none', [], context)).toThrow('there is no text in it');
  });

  it('mix with weights that sum to one', () => {
    for (const name of ['default', 'languages'] as const) {
      const { sources, staticWeights } = builtInMixture(name, context);
      expect(sources).toHaveLength(3);
      expect(staticWeights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    }
  });
});

describe("the user's own text", () => {
  const folder = mkdtempSync(join(tmpdir(), 'mixed-text-'));
  const file = (name: string, content: string | Uint8Array) => {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, content);
    return path;
  };
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is a file or a folder, read recursively in sorted order', () => {
    file('tree/b.txt', 'second');
    file('tree/a/z.txt', 'first');
    file('tree/c.bin', Uint8Array.of(65, 0, 66));
    file('tree/.hidden', 'hidden');
    symlinkSync(folder, join(folder, 'tree/loop'));
    const documents = readUserText('t', join(folder, 'tree'));
    expect(documents.map((document) => Buffer.from(document).toString())).toEqual(['first', 'second']);
    expect(Buffer.concat(readUserText('t', join(folder, 'tree'), 8)).toString()).toBe('firstsec');
    expect(Buffer.concat(readUserText('t', join(folder, 'tree/b.txt'))).toString()).toBe('second');
  });

  it('is refused in one line when it cannot be used', () => {
    const cases = {
      'there is no file or folder': join(folder, 'absent.txt'),
      'there is no text in it': file('empty.txt', ''),
      'are too few': file('few.txt', 'few'),
      'is not a text file': file('binary', Uint8Array.of(1, 0, 2)),
      'there is no text in the folder': join(file('void/.hidden', 'x'), '..'),
      ...(process.platform === 'win32' ? {} : { 'neither a file nor a folder': '/dev/null' }),
    };
    for (const [message, path] of Object.entries(cases)) {
      let error: unknown;
      try {
        userMixture([{ name: 'mine', path }], context);
      } catch (thrown) {
        error = thrown;
      }
      expect(error, message).toBeInstanceOf(UsageError);
      expect((error as Error).message).toContain(message);
      expect((error as Error).message).toMatch(/^task mine: [^\n]+$/);
    }
  });
});

describe('arguments', () => {
  const known = { rules: ['pike', 'mirror', 'balanced', 'temperature'], backends: ['auto', 'reference'] };
  const parse = (line: string) => parseArguments(line.split(' ').filter(Boolean), known);

  it('have defaults', () => {
    expect(parse('')).toEqual({
      help: false,
      stack: 'tfjs',
      steps: 1000,
      seeds: [1],
      rules: [{ name: 'pike', tau: 1, temperature: 5, smoothness: null }],
      backend: 'auto',
      log: null,
      mixture: 'default',
      tasks: [],
    });
    expect(parse('--stack jax')).toMatchObject({ stack: 'jax', steps: 300 });
    expect(parse('--stack jax --steps 7').steps).toBe(7);
    expect(parse('--seed 5 --seeds 3').seeds).toEqual([5, 6, 7]);
    expect(parse('--rule balanced --tau 1,3,5,3').rules.map(({ tau }) => tau)).toEqual([1, 3, 5]);
    expect(parse('--rule temperature --temperature 2.5').rules[0]).toMatchObject({ temperature: 2.5 });
    expect(parse('--rule mirror --smoothness 40').rules[0]).toMatchObject({ smoothness: 40 });
    expect(parse('--task a=x=y --task b=z').tasks).toEqual([
      { name: 'a', path: 'x=y' },
      { name: 'b', path: 'z' },
    ]);
  });

  it.each([
    ['--steps 0', '--steps must be a whole number of at least 1'],
    ['--steps 1.5', '--steps must be a whole number'],
    ['--seed -1', '--seed'],
    ['--seeds x', '--seeds must be a whole number'],
    ['--rule nonsense', "--rule must be one of pike, mirror, balanced, temperature, but is 'nonsense'"],
    ['--tau 3', "--tau is for --rule balanced, but the rule is 'pike'"],
    ['--rule balanced --tau 1,,3', '--tau must be a number above 0'],
    ['--rule balanced --tau 0', '--tau must be a number above 0'],
    ['--rule temperature --temperature x', '--temperature must be a number above 0'],
    ['--rule balanced --temperature 3', '--temperature is for --rule temperature'],
    ['--smoothness 3', '--smoothness is for --rule mirror or conceptual or gramian'],
    ['--stack torch', "--stack must be one of tfjs, jax, but is 'torch'"],
    ['--backend tpu', '--backend must be one of auto, reference'],
    ['--mixture soup', '--mixture must be one of default, languages'],
    ['--task a=x', 'two tasks or more'],
    ['--task a=x --task a=y', '--task a was given twice'],
    ['--task =x --task b=y', '--task must be NAME=FILE_OR_FOLDER'],
    ['--task a= --task b=y', '--task must be NAME=FILE_OR_FOLDER'],
    ['--mixture default --task a=x --task b=y', 'were both given'],
    ['--unknown', "Unknown option '--unknown'"],
    ['stray', "Unexpected argument 'stray'"],
    ['--steps', '--steps'],
  ])('refuse %s', (line, message) => {
    expect(() => parse(line)).toThrow(UsageError);
    expect(() => parse(line)).toThrow(message);
    expect(() => parse(line)).not.toThrow(/\n/);
  });
});

describe('progress', () => {
  it('writes plain lines where there is no terminal', () => {
    const lines: string[] = [];
    const stream = {
      isTTY: false,
      write: (line: string) => lines.push(line),
    } as unknown as NodeJS.WriteStream;
    const progress = createProgress({ runs: 2, steps: 20 }, stream);
    for (const run of ['uniform', 'pike'])
      for (let step = 0; step < 20; step++)
        progress.step({ run, loss: 2, tasks: ['a', 'b'], weights: [0.25, 0.75] });
    progress.stop();
    expect(lines).toHaveLength(20);
    expect(lines[0]).toMatch(/^uniform: step 2\/20, loss 2\.000, weights a \.25 {2}b \.75, \d+ s left\n$/);
    expect(lines.at(-1)).toMatch(/^pike: step 20\/20, .* 0 s left\n$/);
  });
});

describe('model', () => {
  const shape = { context, embedding: 8, hidden: 12 };
  const windows = sample(new Source('t', serverLog(4000), context), Random.named(1), 40);

  beforeAll(startWasm);

  it('runs on wasm with a matmul that agrees with plain loops and leaks nothing', () => {
    expect(tf.getBackend()).toBe('wasm');
    const data = (tf.engine().backend as unknown as { numDataIds(): number }).numDataIds();
    tf.tidy(() => {
      const random = Random.named('matmul');
      const values = (size: number) => Float32Array.from({ length: size }, () => random.uniform() - 0.5);
      const a = tf.tensor3d(values(2 * 3 * 5), [2, 3, 5]);
      const b = tf.tensor3d(values(2 * 5 * 4), [2, 5, 4]);
      const plain = tf.matMul(a, b).dataSync();
      const aT = tf.transpose(a, [0, 2, 1]);
      const bT = tf.transpose(b, [0, 2, 1]);
      for (const product of [
        tf.matMul(aT, b, true),
        tf.matMul(a, bT, false, true),
        tf.matMul(aT, bT, true, true),
      ]) {
        expect(product.shape).toEqual([2, 3, 4]);
        const differences = product.dataSync().map((value, i) => Math.abs(value - plain[i]!));
        expect(Math.max(...differences)).toBeLessThan(1e-6);
      }
    });
    expect((tf.engine().backend as unknown as { numDataIds(): number }).numDataIds()).toBe(data);
  });

  it('has the loss and the gradients of the stock operations', () => {
    const model = new ByteModel(1, shape);
    const [table, hiddenWeights, hiddenBias, outputWeights, outputBias] = model.variables as [
      tf.Variable<tf.Rank.R2>,
      tf.Variable<tf.Rank.R2>,
      tf.Variable,
      tf.Variable<tf.Rank.R2>,
      tf.Variable,
    ];
    // Larger weights than the initial ones, so that no gradient is too small to compare.
    outputWeights.assign(tf.mul(outputWeights, 10));
    const oneHot = (bytes: Uint8Array) =>
      tf.oneHot(tf.tensor1d(Int32Array.from(bytes), 'int32'), 256).toFloat();
    const stock = () =>
      tf.tidy(() => {
        const input = tf.matMul(oneHot(windows.contexts) as tf.Tensor2D, table).reshape([windows.count, -1]);
        const hidden = tf.relu(tf.add(tf.matMul(input, hiddenWeights), hiddenBias));
        const logits = tf.add(tf.matMul(hidden, outputWeights), outputBias);
        return tf.losses.softmaxCrossEntropy(oneHot(windows.targets), logits) as tf.Scalar;
      });
    const ours = tf.variableGrads(() => model.loss(windows), model.variables);
    const theirs = tf.variableGrads(stock, model.variables);
    expect(ours.value.dataSync()[0]).toBeCloseTo(theirs.value.dataSync()[0]!, 5);
    for (const { name } of model.variables) {
      const expected = theirs.grads[name]!.dataSync();
      expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1e-4);
      const differences = ours.grads[name]!.dataSync().map((value, i) => Math.abs(value - expected[i]!));
      expect(Math.max(...differences)).toBeLessThan(1e-6);
    }
    tf.dispose([ours.value, ours.grads, theirs.value, theirs.grads] as never);
    model.dispose();
  });

  it('starts the same for the same seed, and learns', () => {
    const tensors = tf.memory().numTensors;
    const models = [1, 1, 2].map((seed) => new ByteModel(seed, shape));
    const losses = models.map((model) => model.evaluate(windows));
    expect(losses[0]).toBe(losses[1]);
    expect(losses[0]).not.toBe(losses[2]);
    expect(losses[0]).toBeCloseTo(Math.log(256), 1);
    const optimizer = tf.train.adam(0.01);
    const [model] = models as [ByteModel];
    const step = () => tf.dispose(optimizer.minimize(() => model.loss(windows), true, model.variables)!);
    step();
    const during = tf.memory().numTensors;
    for (let i = 0; i < 50; i++) step();
    expect(tf.memory().numTensors).toBe(during);
    expect(model.evaluate(windows)).toBeLessThan(2);
    for (const each of models) each.dispose();
    optimizer.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });

  it('evaluates any number of windows, batch by batch', () => {
    const model = new ByteModel(3, shape);
    const many = new Source('t', serverLog(20_000), context).heldOut;
    expect(many.count).toBeGreaterThan(512);
    expect(model.evaluate(many)).toBeCloseTo(
      tf.tidy(() => model.loss(many).dataSync()[0]!),
      5,
    );
    model.dispose();
  });

  it('is evaluated with averaged weights without being changed', () => {
    const tensors = tf.memory().numTensors;
    const set = (value: number) => tf.tidy(() => weight.assign(tf.scalar(value)));
    const weight = tf.tidy(() => tf.variable(tf.scalar(0)));
    const average = new WeightAverage([weight]);
    for (const value of [1, 2, 6]) {
      set(value);
      average.update();
    }
    expect(average.during(() => weight.dataSync()[0])).toBeCloseTo(3, 6);
    expect(weight.dataSync()[0]).toBe(6);
    average.dispose();
    weight.dispose();
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

/** The schema against logs of all kinds, and that types, checks, schema and documentation name the same fields. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { famo, Mixer, type MixerOptions, odm, RunLog, readRunLog, temperature } from '../../lib/index.js';
import { eventFields, lineFields } from '../../lib/monitor/check-event.js';
import { optionsOf, ruleNames, trainLogged } from '../support/logged-training.js';
import { root } from '../support/scripts.js';
import { row } from '../support/small.js';

type Schema = Record<string, unknown> & {
  properties: Record<string, { properties?: object; const?: string }>;
  required: string[];
};
const schema: { $defs: Record<string, Schema> } = JSON.parse(
  readFileSync(join(root, 'schema/run-log.schema.json'), 'utf8'),
);
const events = ['start', 'step', 'update', 'evaluation', 'skip', 'retire', 'warning', 'end'] as const;

let folder: string;
let validate: ValidateFunction;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'run-log-schema-'));
  validate = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true }).compile(schema);
});
afterAll(() => rmSync(folder, { recursive: true }));

// biome-ignore lint/suspicious/noExplicitAny: lines of many kinds
type Line = any;
const linesOf = (path: string): Line[] =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

function expectValid(lines: readonly Line[]): void {
  for (const line of lines) {
    validate(line);
    expect(validate.errors, JSON.stringify(line)).toBeNull();
  }
}

const fates = (task: string, step: number) =>
  step === 10 && task === 'a'
    ? 'none'
    : step === 15 && task === 'b'
      ? 'one row'
      : step === 20 && task === 'c'
        ? 'broken gradient'
        : step === 25 && task === 'a'
          ? 'broken loss'
          : step === 35
            ? 'none'
            : undefined;

/** A log with every event, of which lines can be broken. */
async function everything(): Promise<Line[]> {
  const path = join(folder, 'everything.jsonl');
  const rule = { rule: 'pike', inner: true, maxLogStep: Infinity };
  await trainLogged({ path, options: rule, fate: fates, restart: [30], retire: { 42: 'b' } });
  return linesOf(path);
}

describe('the schema of run logs', () => {
  const mixtures: [string, Partial<MixerOptions>][] = [
    ...ruleNames.map((name): [string, Partial<MixerOptions>] => [name, optionsOf(name)]),
    ['odm of its own', { rule: odm({ smoothing: 0.5 }) }],
    ['famo of its own', { rule: famo({ optimizer: 'gradient' }) }],
    ['temperature', { rule: temperature({ sizes: [1, 2, 3], temperature: Infinity }) }],
    ['significance', { significance: 2 }],
    [
      'as in the paper',
      { scale: 'absolute', minWeight: 0, maxLogStep: Infinity, priorPull: 0, smoothing: 0 },
    ],
    ['threads', { threads: 1, backend: 'cpu', seed: 3, alpha: 0.1 }],
  ];
  for (const [name, options] of mixtures)
    for (const by of ['measure', 'observe'] as const)
      it(`takes every line of ${name}, by ${by}`, async () => {
        const path = join(folder, `${name}-${by}.jsonl`);
        const retire = { 42: 'b' };
        await trainLogged({
          path,
          options,
          by,
          fate: fates,
          restart: [30],
          retire,
          learningRate: () => 0.01,
        });
        const lines = linesOf(path);
        expectValid(lines);
        expect((await readRunLog(path)).notices).toEqual([]);
        expect(new Set(lines.map(({ event }) => event)).size).toBeGreaterThanOrEqual(6);
      });

  it('takes every event, and numbers at the end of their range', async () => {
    const lines = await everything();
    expectValid(lines);
    expect(new Set(lines.map(({ event }) => event))).toEqual(new Set(events));
    // β of the bound is −Infinity where a weight is 0 and tasks conflict.
    const path = join(folder, 'conflict.jsonl');
    const options = { tasks: ['a', 'b'], batchSize: 8, backend: 'reference' as const, inner: true };
    const mixer = new Mixer({ ...options, initialWeights: [1, 0], minWeight: 0, priorPull: 0 });
    const log = new RunLog(path, mixer);
    await mixer.measure(
      [
        [row(1), row(1.01)],
        [row(-1), row(-1.01)],
      ],
      {
        samples: [
          [1, 1],
          [1, 1],
        ],
      },
    );
    log.end();
    const update = linesOf(path).find(({ event }) => event === 'update');
    expect(update.conflict.beta).toBeNull();
    expectValid(linesOf(path));
  });

  it('refuses a line with any field left out, renamed, of another type, or out of range', async () => {
    const lines = await everything();
    const lineOf = (event: string): Line =>
      structuredClone(lines.find((line) => line.event === event && (event !== 'update' || line.conflict)));
    for (const event of events) {
      for (const field of schema.$defs[event].required.concat(lineFields)) {
        const line = lineOf(event);
        delete line[field];
        expect(validate(line), `${event} without ${field}`).toBe(false);
        for (const value of [undefined, 'x', -1, [7], { x: true }]) {
          const type = Object.prototype.toString;
          const own = lineOf(event)[field];
          if (type.call(own) === type.call(value) && typeof own !== 'number') continue;
          if (own === null && value === undefined) continue;
          expect(validate({ ...lineOf(event), [field]: value ?? null }), `${event} ${field} ${value}`).toBe(
            nullIsAllowed(event, field) && value === undefined,
          );
        }
      }
      const isOpen = event === 'step' || event === 'end';
      expect(validate({ ...lineOf(event), another: 1 }), event).toBe(isOpen);
    }
    const planted: [string, (line: Line) => void][] = [
      ['start', (line) => (line.version = 1)],
      ['start', (line) => (line.options.zeta3 = 1)],
      ['start', (line) => delete line.options.zeta1],
      ['start', (line) => (line.options.maxLogStep = 'Infinite')],
      ['start', (line) => (line.backend.name = 'gpu')],
      ['start', (line) => (line.tasks = ['a', 'a'])],
      ['start', (line) => (line.time = '31 January')],
      ['step', (line) => (line.counts.a = 1.5)],
      ['step', (line) => (line.weights.a = null)],
      ['step', (line) => (line.loss = '2')],
      ['update', (line) => (line.statistics.normSquared[0] = 'NaN')],
      ['update', (line) => delete line.statistics.inner],
      ['update', (line) => (line.statistics.normsquared = [])],
      ['update', (line) => (line.smoothed.standardError = { normSquared: [] })],
      ['update', (line) => (line.conflict.conflict = 0.75)],
      ['update', (line) => (line.missed = [{ task: 'a', reason: 'forgotten' }])],
      ['update', (line) => (line.learningRate = 0)],
      ['skip', (line) => (line.reason = 'forgotten')],
      ['warning', (line) => (line.code = 'bad luck')],
      ['end', (line) => (line.event = 'fin')],
    ];
    for (const [event, plant] of planted) {
      const line = lineOf(event);
      expect(validate(line), event).toBe(true);
      plant(line);
      expect(validate(line), `${event} ${plant}`).toBe(false);
    }
  });
});

function nullIsAllowed(event: string, field: string): boolean {
  return event === 'update' && ['losses', 'learningRate', 'conflict', 'heterogeneity'].includes(field);
}

describe('types, checks, schema and documentation name the same fields', () => {
  const source = ts.createSourceFile(
    'events.ts',
    readFileSync(join(root, 'lib/monitor/events.ts'), 'utf8'),
    ts.ScriptTarget.ES2022,
  );
  const fieldsOfType = (name: string): string[] => {
    const found = source.statements.find(
      (statement): statement is ts.InterfaceDeclaration =>
        ts.isInterfaceDeclaration(statement) && statement.name.text === name,
    );
    return found!.members.filter(ts.isPropertySignature).map((member) => (member.name as ts.Identifier).text);
  };
  const doc = readFileSync(join(root, 'docs/run-log.md'), 'utf8');
  const fieldsOfDoc = (title: string): string[] => {
    const [, section] = doc.split(`\n### ${title}\n`);
    expect(section, title).toBeDefined();
    const rows = section.split('\n### ')[0].matchAll(/^\| `(\w+)` \|/gm);
    return [...rows].map(([, field]) => field);
  };
  const fieldsOfSchema = (name: string): string[] => Object.keys(schema.$defs[name].properties);

  for (const event of events)
    it(event, () => {
      const typeName = `${event[0].toUpperCase()}${event.slice(1)}Event`;
      const own = fieldsOfSchema(event).slice(1);
      expect(schema.$defs[event].properties.event.const).toBe(event);
      expect(fieldsOfType(typeName)).toEqual(['event', ...own]);
      expect(Object.keys(eventFields[event])).toEqual(own);
      expect(fieldsOfDoc(`\`${event}\``)).toEqual(own);
    });

  it('every line, statistics, conflict, options', () => {
    expect(fieldsOfSchema('line')).toEqual([...lineFields]);
    expect(['event', ...fieldsOfType('LogLine')]).toEqual([...lineFields]);
    expect(fieldsOfDoc('Every line')).toEqual([...lineFields]);
    for (const [name, type, title] of [
      ['statistics', 'LoggedStatistics', 'Statistics'],
      ['conflict', 'LoggedConflict', 'Conflict'],
    ]) {
      expect(fieldsOfType(type)).toEqual(fieldsOfSchema(name));
      expect(fieldsOfDoc(title)).toEqual(fieldsOfSchema(name));
    }
    const mixer = new Mixer({
      tasks: ['a', 'b'],
      batchSize: 8,
      learningRate: 1,
      smoothness: 1,
      alpha: 1,
      threads: 1,
    });
    expect(Object.keys(mixer.state().options).sort()).toEqual(fieldsOfSchema('options').sort());
  });
});

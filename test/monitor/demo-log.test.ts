/** The log of a real training run: the schema takes it, and replay gives its weights again. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type LoggedRun, readRunLogs, replay } from '../../lib/index.js';
import { root } from '../support/scripts.js';

const folder = mkdtempSync(join(tmpdir(), 'demo-log-'));
const path = join(folder, 'demo.jsonl');
let runs: LoggedRun[];
beforeAll(async () => {
  const demo = [join(root, 'dist-examples/mixed-text/main.js'), '--steps', '60', '--log', path];
  const { status, stderr } = spawnSync(process.execPath, demo, { encoding: 'utf8' });
  expect(status, stderr).toBe(0);
  runs = await readRunLogs(path);
}, 300_000);
afterAll(() => rmSync(folder, { recursive: true }));

it('every line is valid', () => {
  const schema = JSON.parse(readFileSync(join(root, 'schema/run-log.schema.json'), 'utf8'));
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(schema);
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  for (const line of lines) {
    validate(JSON.parse(line));
    expect(validate.errors, line).toBeNull();
  }
  expect(runs).toHaveLength(3);
  for (const { steps, evaluations, end, notices } of runs) {
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(evaluations.length).toBeGreaterThan(1);
    expect([end?.step, notices]).toEqual([60, []]);
  }
});

it('replay gives the weights again, and others under other options', () => {
  const pike = runs.find(({ name }) => name.startsWith('pike'))!;
  expect(pike.updates.length).toBeGreaterThanOrEqual(5);
  const { deviation, updates, weights } = replay(pike);
  expect(deviation).toBeLessThanOrEqual(1e-12);
  expect(updates).toBe(pike.updates.length);
  for (const task of pike.tasks) expect(weights[task]).toBeCloseTo(pike.end!.weights[task], 12);
  expect(new Set(Object.values(weights)).size).toBe(3);
  expect(replay(pike, { zeta1: 0.2 }).distance.mean).toBeGreaterThan(1e-3);
  expect(replay(pike, { rule: 'balanced' }).deviation).toBeGreaterThan(1e-3);
});

/** Figures and verdicts of the GPU bench. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sameBits } from '../../bench/gpu/bits.js';
import { showVersion } from '../../bench/gpu/environment.js';
import { askPeers, comparePeers, keyOf, type PeerResult } from '../../bench/gpu/peers.js';
import { sanitizer, verdict } from '../../bench/gpu/sanitizer.js';
import { targetShare } from '../../bench/gpu/targets.js';
import { shareCheck, TIMED_TASKS } from '../../bench/gpu/throughput.js';
import { longestRow } from '../../bench/gpu/timed-rows.js';
import { endedEarly } from '../../bench/part-process.js';
import { atLeast, below, broken, formatReport, formatTable, partReport } from '../../bench/report.js';
import { median, medianRatio, shareOfCopy, timing } from '../../lib/throughput/timing.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-bench-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('figures', () => {
  it('medians, and ratios of what was timed together', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])]).toEqual([2, 2.5, 7]);
    expect(timing([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3, count: 3 });
    // A run that was slow as a whole does not count against either.
    expect(medianRatio([1, 2, 30], [2, 4, 60])).toBe(0.5);
  });

  it('shares of a copy: what is read against what a copy reads and writes', () => {
    // 1000 bytes in the time in which a copy of 500 reads and writes as many.
    expect(shareOfCopy(1000, [2, 2], 500, [2, 2])).toBe(1);
    expect(shareOfCopy(1000, [4, 4], 500, [2, 2])).toBe(0.5);
    expect(shareOfCopy(1000, [2], 250, [2])).toBe(2);
  });

  it('rows of whole chunks that fill the memory', () => {
    expect(longestRow(4e9, 8, 'float32') % 8192).toBe(0);
    expect(longestRow(4e9, 8, 'float32')).toBeGreaterThan(0.999 * 1.25e8);
    expect(longestRow(65536, 128, 'bfloat16')).toBe(256);
  });

  it('every timed shape has a target', () => {
    expect(TIMED_TASKS.map(([, rows]) => rows)).toEqual([2, 4, 8, 16, 32, 64, 128]);
    for (const [tasks, rows] of TIMED_TASKS) {
      expect(rows % tasks).toBe(0);
      for (const dtype of ['float32', 'bfloat16', 'float16'] as const)
        expect(targetShare(dtype, rows)).toBeGreaterThan(0.7);
    }
  });

  it('versions of CUDA', () => {
    expect([13000, 12080, 11070].map(showVersion)).toEqual(['13.0', '12.8', '11.7']);
  });
});

describe('checks', () => {
  it('are kept or broken; never kept by NaN', () => {
    const kept = (value: number) => [below('x', value, 1).kept, atLeast('x', value, 1).kept];
    expect([0.5, 1, 2, Number.NaN].map(kept)).toEqual([
      [true, false],
      [false, true],
      [false, true],
      [false, false],
    ]);
    expect([sameBits('x', 0).kept, sameBits('x', 1).kept]).toEqual([true, false]);
    const share = { dtype: 'float32', tasks: 2, rows: 8, inner: false, target: 0.95 } as never;
    expect(shareCheck({ ...(share as object), share: 0.96 } as never).kept).toBe(true);
    expect(shareCheck({ ...(share as object), share: 0.94 } as never).kept).toBe(false);
  });

  it('a part that ends early breaks a promise', () => {
    expect(broken(endedEarly('ended by SIGSEGV'))).toHaveLength(1);
  });

  it('what is broken stands in the report', () => {
    const report = partReport({
      checks: [below('first', 2, 1), below('second', 0, 1)],
      notes: ['Skipped: something.'],
    });
    expect(formatReport('name', report)).toBe(
      '== name: 1 of 2 promises kept\nBROKEN: first: 2, promised < 1\nSkipped: something.\n',
    );
  });

  it('tables: numbers end at the same place, words begin there', () => {
    const rows = [
      ['a', '1.5', 'yes'],
      ['longer', '10', '-1'],
    ];
    expect(formatTable({ title: 'Title', head: ['', 'n', 'word'], rows })).toBe(
      ['Title', '          n  word', 'a       1.5  yes', 'longer   10  -1'].join('\n'),
    );
  });
});

describe('compute-sanitizer', () => {
  it('is believed only when it has looked', () => {
    const kept = (status: number | null, output: string, signal: string | null = null) =>
      verdict('memcheck', status, signal, output).kept;
    expect(kept(0, '========= ERROR SUMMARY: 0 errors\n')).toBe(true);
    expect(kept(77, '========= ERROR SUMMARY: 3 errors\n')).toBe(false);
    expect(kept(1, '========= ERROR SUMMARY: 0 errors\n')).toBe(false);
    expect(kept(0, 'all fine')).toBe(false);
    expect(kept(null, '', 'SIGTERM')).toBe(false);
    expect(verdict('racecheck', 77, null, 'RACECHECK SUMMARY: 1 hazard displayed').found).toBe(
      'errors: RACECHECK SUMMARY: 1 hazard displayed',
    );
  });

  it('is found on the PATH, run with every tool, and explained when it is missing', () => {
    const before = process.env.PATH;
    const run = (script: string | null) => {
      if (script !== null) writeFileSync(join(folder, 'compute-sanitizer'), script, { mode: 0o755 });
      process.env.PATH = script === null ? '/nowhere' : folder;
      try {
        return sanitizer(['-e', 'process.exitCode = 5']);
      } finally {
        process.env.PATH = before;
      }
    };
    // Its arguments: --tool NAME --error-exitcode 77 PROGRAM …
    const found = run('#!/bin/sh\ntool=$2\nshift 4\n"$@"\n[ $? = 5 ] && echo "ERROR SUMMARY: $tool"\n');
    expect(found.checks.map((check) => [check.found, check.kept])).toEqual(
      ['memcheck', 'racecheck', 'synccheck', 'initcheck'].map((tool) => [`ERROR SUMMARY: ${tool}`, true]),
    );
    expect(broken(run('#!/bin/sh\necho ERROR SUMMARY: 2 errors\nexit $4\n'))).toHaveLength(4);
    if (!process.env.CUDA_HOME && spawnSync('ls', ['/usr/local/cuda']).status !== 0)
      expect(run(null)).toMatchObject({
        checks: [],
        notes: [expect.stringMatching(/^Skipped: no compute-/)],
      });
  });
});

describe('PyTorch', () => {
  const shape = { dtype: 'float32', tasks: 2, rows: 8, d: 1000 } as const;
  const result = (form: string, whole: number, device: number): PeerResult => ({
    shape,
    form,
    whole_ms: [whole, whole],
    device_ms: [device, device],
  });
  const one = (value: number) => ({ device: timing([value]), wall: timing([2 * value]) });
  const own = new Map([
    [keyOf(shape, false), one(1)],
    [keyOf(shape, true), one(2)],
  ]);

  it('is slower by the ratio as a whole, products against products', () => {
    const answer = {
      torch: '9',
      device: 'a GPU',
      notes: ['A note.'],
      results: [
        result('var_mean', 6, 5),
        result('A @ A.T', 6, 5),
        result('_foreach_norm of rows only', 1, 1),
        result('_foreach_norm of rows and means', Number.NaN, 1),
      ],
    };
    const report = comparePeers(answer, own);
    expect(report.checks.map(({ found, kept }) => [found, kept])).toEqual([
      ['3', true],
      ['1.5', true],
      ['NaN', false],
    ]);
    expect(broken(comparePeers({ ...answer, results: [result('A @ A.T', 5, 5)] }, own))).toHaveLength(1);
    expect(report.notes[0]).toBe('A note.');
  });

  it('is left out, with the reason, where it is missing', () => {
    expect(askPeers({ device: 'cuda', runs: 0, shapes: [] }, '/nowhere/python3')).toEqual({
      skipped: expect.stringContaining('/nowhere/python3 cannot be run'),
    });
    const python = join(folder, 'python3');
    writeFileSync(python, '#!/bin/sh\necho broken >&2\nexit 3\n', { mode: 0o755 });
    expect(() => askPeers({ device: 'cuda', runs: 0, shapes: [] }, python)).toThrow('ended with 3: broken');
  });

  it('gives the same numbers in every form, on the CPU where there is one to try', ({ skip }) => {
    const shapes = (['float32', 'bfloat16'] as const).map((dtype) => ({
      dtype,
      tasks: 3,
      rows: 12,
      d: 2048,
    }));
    const answer = askPeers({ device: 'cpu', runs: 2, shapes }, process.env.PIKE_TEST_PYTHON ?? 'python3');
    if ('skipped' in answer) return skip(answer.skipped);
    expect(answer.notes).toEqual([]);
    expect(answer.results).toHaveLength(5 + 4);
    for (const { whole_ms, device_ms } of answer.results)
      for (const times of [whole_ms, device_ms]) expect(times.every((time) => time > 0)).toBe(true);
  });
});

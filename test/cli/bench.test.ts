/** `pike-mixer bench`: every figure is there, and belongs to what was measured. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../lib/backends/load-addon.js';
import { type ThroughputReport, throughput } from '../../lib/throughput/throughput.js';
import { runCli } from './run-cli.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DTYPES = ['float32', 'bfloat16', 'float16', 'float64'];
const BYTES = { float32: 4, bfloat16: 2, float16: 2, float64: 8 };

function expectFigures(report: ThroughputReport): void {
  expect(new Set(report.batch.map(({ dtype }) => dtype))).toEqual(new Set(DTYPES));
  expect(report.streamed.map(({ dtype }) => dtype)).toEqual(DTYPES);
  for (const each of report.batch) {
    expect(each.bytes).toBe(each.tasks * each.perTask * each.d * BYTES[each.dtype]);
    for (const figure of [each.call.median, each.probe.median, each.share]) expect(figure).toBeGreaterThan(0);
  }
  for (const each of report.streamed)
    for (const figure of [each.call.median, each.probeRate, each.share]) expect(figure).toBeGreaterThan(0);
  expect(report.peers[0]).toMatchObject({
    peer: 'plain JavaScript',
    threads: '1',
    ratio: expect.any(Number),
  });
}

describe('bench', () => {
  it('runs where there is nothing but the installed package', () => {
    const root = join(folder, 'installed');
    cpSync(join(ROOT, 'dist'), join(root, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(root, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    const args = [join(root, 'dist/cli/bin.js'), 'bench', '--size', 'tiny', '--json'];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      encoding: 'utf8',
      env: { ...process.env, PIKE_MIXER_ADDON: loadAddon().path! },
    });
    expect(status, stderr).toBe(0);
    const report = JSON.parse(stdout) as ThroughputReport;
    expect(report).toMatchObject({ size: 'tiny', backend: 'cpu', threads: expect.any(Number) });
    expectFigures(report);
    // Python answered, or it is said why not: peers.py is part of the package.
    expect(report.peers.length > 1 || report.notes.some((note) => /Left out|Without peers/.test(note))).toBe(
      true,
    );
    expect(report.notes).toContain('The times of so few numbers mean nothing.');
  });

  it('prints tables of the same', async () => {
    const { code, out } = await runCli('bench', '--size', 'tiny');
    expect(code).toBe(0);
    for (const dtype of DTYPES) expect(out).toMatch(new RegExp(`^${dtype} +\\d`, 'm'));
    expect(out).toMatch(/^plain JavaScript +1 +4 .* times$/m);
  });

  it('says why there are no peers in Python, and times the reference too', async () => {
    const seen: [number, number][] = [];
    const report = await throughput({
      size: 'tiny',
      backend: 'reference',
      python: '/nowhere/python3',
      onProgress: (done, total) => seen.push([done, total]),
    });
    expectFigures(report);
    expect(report.peers).toHaveLength(1);
    expect(report.notes).toContainEqual(
      expect.stringMatching(/^Without peers in Python: \/nowhere\/python3 cannot be run/),
    );
    // Progress never passes its end.
    expect(seen.length).toBeGreaterThan(5);
    for (const [i, [done, total]] of seen.entries()) expect([done, total > done]).toEqual([i, true]);
  });

  it.skipIf(process.platform === 'win32')(
    'loses nothing to a Python that ends or talks nonsense',
    async () => {
      for (const [name, does, told] of [
        ['ends', 'exit 3', /left out from there on: peers\.py ended without an answer\.$/],
        ['talks', 'read line; echo Welcome', /left out from there on: peers\.py answered 'Welcome'\.$/],
      ] as const) {
        const python = join(folder, name);
        writeFileSync(python, `#!/bin/sh\n${does}\n`, { mode: 0o755 });
        const report = await throughput({ size: 'tiny', python });
        expectFigures(report);
        expect(report.notes).toContainEqual(expect.stringMatching(told));
      }
    },
  );

  it('without an addon: the reason', () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(ROOT, 'dist/cli/bin.js'), 'bench', '--quick'],
      {
        encoding: 'utf8',
        env: { ...process.env, PIKE_MIXER_ADDON: '/nowhere.node' },
      },
    );
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: the native addon cannot be used: \/nowhere\.node: there is no such file \(ERR_NO_BACKEND\)\n$/,
    );
  });
});

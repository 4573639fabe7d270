import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileTestProgram } from './compile.js';

const MEGABYTE = 2 ** 20;
/** Of version 2, the only one whose limits are looked at. */
const group = existsSync('/proc/self/cgroup')
  ? /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1]
  : undefined;

describe.runIf(group !== undefined && freemem() > 400 * MEGABYTE)('the limit of a control group', () => {
  const groups = mkdtempSync(join(tmpdir(), 'pike-test-'));
  let program: string;

  beforeAll(async () => {
    program = await compileTestProgram(process.env.CXX || 'c++', {
      name: 'memory_limits',
      sources: ['test/native/memory_limits.cpp', 'native/core/memory.cpp'],
      // Of one name, so that what was compiled serves again.
      flags: ['-DPIKE_CONTROL_GROUPS=std::string(std::getenv("PIKE_TEST_GROUPS"))'],
    });
  }, 60_000);
  afterAll(() => rmSync(groups, { recursive: true, force: true }));

  /** Whether so many megabytes may be had where the root of all groups says this. */
  function answers(files: Record<string, string>, megabytes: number[]): string[] {
    rmSync(groups, { recursive: true, force: true });
    mkdirSync(groups);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(groups, name)), { recursive: true });
      writeFileSync(join(groups, name), text);
    }
    const bytes = megabytes.map((each) => String(each * MEGABYTE));
    const env = { ...process.env, PIKE_TEST_GROUPS: groups };
    const { status, stdout, stderr } = spawnSync(program, bytes, { encoding: 'utf8', env });
    expect([status, stderr]).toEqual([0, '']);
    return stdout.trim().split('\n');
  }

  it('is what is not in use, and what makes way: files that were read, once or often, and caches', () => {
    const size = (megabytes: number) => `${megabytes * MEGABYTE}`;
    const statistics = [
      `anon ${size(500)}`,
      `inactive_anon ${size(500)}`,
      `inactive_file ${size(40)}`,
      `active_file ${size(100)}`,
      `slab_reclaimable ${size(10)}`,
      '',
    ].join('\n');
    const files = { 'memory.max': size(1000), 'memory.current': size(1000), 'memory.stat': statistics };
    expect(answers(files, [149, 151])).toEqual(['yes', 'no']);
    expect(answers({ ...files, 'memory.current': size(900) }, [249, 251])).toEqual(['yes', 'no']);
    // Small ones are not worth the question.
    expect(answers({ ...files, 'memory.stat': '' }, [63, 65])).toEqual(['yes', 'no']);
  });

  it('may not be there', () => {
    expect(answers({ 'memory.max': 'max\n', 'memory.current': '5\n' }, [100])).toEqual(['yes']);
    expect(answers({}, [100])).toEqual(['yes']);
  });
});

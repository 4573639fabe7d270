import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileTestProgram } from './compile.js';

const MEGABYTE = 2 ** 20;
const size = (megabytes: number) => `${megabytes * MEGABYTE}\n`;
/** Lines of a name and a size in megabytes each. */
const lines = (sizes: Record<string, number>) =>
  Object.entries(sizes)
    .map(([name, megabytes]) => `${name} ${size(megabytes)}`)
    .join('');

const enough = process.platform === 'linux' && freemem() > 400 * MEGABYTE;

describe.runIf(enough)('the limit of a control group', () => {
  const root = mkdtempSync(join(tmpdir(), 'pike-test-'));
  let program: string;

  beforeAll(async () => {
    program = await compileTestProgram(process.env.CXX || 'c++', {
      name: 'memory_limits',
      sources: ['test/native/memory_limits.cpp', 'native/core/control_groups.cpp', 'native/core/memory.cpp'],
      // Of one name, so that what was compiled serves again.
      flags: ['-DPIKE_SYSTEM_ROOT=std::getenv("PIKE_TEST_ROOT")'],
    });
  }, 60_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  /** Whether so many megabytes may be had on a system with these files. */
  function answers(files: Record<string, string>, ...megabytes: number[]): string {
    rmSync(root, { recursive: true, force: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    const bytes = megabytes.map((each) => String(each * MEGABYTE));
    const env = { ...process.env, PIKE_TEST_ROOT: root };
    const { status, stdout, stderr } = spawnSync(program, bytes, { encoding: 'utf8', env });
    expect([status, stderr]).toEqual([0, '']);
    return stdout.trim().replaceAll('\n', ' ');
  }

  /** What a folder of groups holds, by its name. */
  function within(folder: string, files: Record<string, string>): Record<string, string> {
    return Object.fromEntries(Object.entries(files).map(([name, text]) => [`${folder}/${name}`, text]));
  }

  describe('of version 2', () => {
    const unified = (group: string, mounted = '/') => ({
      'proc/self/cgroup': `0::${group}\n`,
      'proc/self/mountinfo': [
        '22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw',
        `24 22 0:22 ${mounted} /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup rw,nsdelegate`,
        '',
      ].join('\n'),
    });
    const statistics = lines({
      anon: 500,
      inactive_anon: 500,
      inactive_file: 40,
      active_file: 100,
      slab_reclaimable: 10,
    });
    const full = { 'memory.max': size(1000), 'memory.current': size(1000), 'memory.stat': statistics };

    it('is what is not in use, and what makes way: files that were read, once or often, and caches', () => {
      const files = { ...unified('/'), ...within('sys/fs/cgroup', full) };
      expect(answers(files, 149, 151)).toBe('yes no');
      const less = { ...files, 'sys/fs/cgroup/memory.current': size(900) };
      expect(answers(less, 249, 251)).toBe('yes no');
      // Small ones are not worth the question.
      expect(answers({ ...files, 'sys/fs/cgroup/memory.stat': '' }, 63, 65)).toBe('yes no');
    });

    it('may not be there', () => {
      const none = { 'memory.max': 'max\n', 'memory.current': '5\n' };
      expect(answers({ ...unified('/'), ...within('sys/fs/cgroup', none) }, 100)).toBe('yes');
      expect(answers(unified('/'), 100)).toBe('yes');
      expect(answers({}, 100)).toBe('yes');
    });

    it('is that of every group above, too, and of no other', () => {
      const inner = { 'memory.max': 'max\n', 'memory.current': size(10) };
      const files = (group: string) => ({ ...unified(group), ...within('sys/fs/cgroup/outer/inner', inner) });
      const above = within('sys/fs/cgroup/outer', full);
      expect(answers({ ...files('/outer/inner'), ...above }, 149, 151)).toBe('yes no');
      expect(answers({ ...files('/other/inner'), ...above }, 151)).toBe('yes');
    });

    it('is that of the group that a container was given, whatever the container calls it', () => {
      const inside = within('sys/fs/cgroup', full);
      expect(answers({ ...unified('/docker/ab', '/docker/ab'), ...inside }, 149, 151)).toBe('yes no');
      expect(answers({ ...unified('/', '/docker/ab'), ...inside }, 149, 151)).toBe('yes no');
      const below = { ...unified('/docker/ab/c', '/docker/ab'), ...within('sys/fs/cgroup/c', full) };
      expect(answers(below, 149, 151)).toBe('yes no');
      // Of a name that only begins alike.
      expect(answers({ ...below, 'proc/self/cgroup': '0::/docker/abc\n' }, 151)).toBe('yes');
    });
  });

  describe('of version 1', () => {
    /** @param point where the memory controller is mounted, as mountinfo writes it */
    const separate = (group: string, { mounted = '/', point = '/sys/fs/cgroup/memory' } = {}) => ({
      'proc/self/cgroup': ['9:cpu:/somewhere', `4:hugetlb,memory:${group}`, '0::/', ''].join('\n'),
      'proc/self/mountinfo': [
        `22 1 0:40 / / rw,relatime - overlay overlay rw,lowerdir=${'/layer:'.repeat(2000)}`,
        '34 31 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu',
        `35 31 0:32 ${mounted} ${point} rw,relatime shared:9 - cgroup cgroup rw,hugetlb,memory`,
        '41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw',
        '',
      ].join('\n'),
    });
    const UNLIMITED = '9223372036854771712\n';
    const statistics = lines({
      // Of the group itself; those in the groups below count as well.
      inactive_file: 1,
      active_file: 1,
      total_rss: 500,
      total_inactive_anon: 500,
      total_inactive_file: 40,
      total_active_file: 110,
    });
    const full = {
      'memory.limit_in_bytes': size(1000),
      'memory.usage_in_bytes': size(1000),
      'memory.use_hierarchy': '1\n',
      'memory.stat': statistics,
    };
    const free = {
      'memory.limit_in_bytes': UNLIMITED,
      'memory.usage_in_bytes': size(10),
      'memory.use_hierarchy': '1\n',
      'memory.stat': `hierarchical_memory_limit ${UNLIMITED}hierarchical_memsw_limit ${UNLIMITED}`,
    };

    it('is what is not in use, and what makes way: files that were read, once or often', () => {
      const files = { ...separate('/job'), ...within('sys/fs/cgroup/memory/job', full) };
      expect(answers(files, 149, 151)).toBe('yes no');
      const less = { ...files, 'sys/fs/cgroup/memory/job/memory.usage_in_bytes': size(900) };
      expect(answers(less, 249, 251)).toBe('yes no');
    });

    it('may not be there', () => {
      const files = { ...separate('/job'), ...within('sys/fs/cgroup/memory/job', free) };
      expect(answers({ ...files, ...within('sys/fs/cgroup/memory', free) }, 100)).toBe('yes');
      expect(answers(separate('/job'), 100)).toBe('yes');
      // The group of another controller.
      const other = within('sys/fs/cgroup/memory/somewhere', full);
      expect(answers({ ...files, ...other }, 151)).toBe('yes');
    });

    it('is that of every group above, too, as long as these count those below them', () => {
      const files = { ...separate('/job/part'), ...within('sys/fs/cgroup/memory/job/part', free) };
      const above = within('sys/fs/cgroup/memory/job', full);
      expect(answers({ ...files, ...above }, 149, 151)).toBe('yes no');
      const flat = { ...above, 'sys/fs/cgroup/memory/job/memory.use_hierarchy': '0\n' };
      expect(answers({ ...files, ...flat }, 151)).toBe('yes');
      expect(answers({ ...files, ...within('sys/fs/cgroup/memory/jobs', full) }, 151)).toBe('yes');
    });

    it('is also one of memory and swap together, and one of groups above that cannot be seen', () => {
      const files = { ...separate('/job'), ...within('sys/fs/cgroup/memory/job', free) };
      const swap = {
        'memory.memsw.limit_in_bytes': size(300),
        'memory.memsw.usage_in_bytes': size(100),
      };
      expect(answers({ ...files, ...within('sys/fs/cgroup/memory/job', swap) }, 199, 201)).toBe('yes no');
      const unseen = { 'memory.stat': `hierarchical_memory_limit ${size(200)}` };
      expect(answers({ ...files, ...within('sys/fs/cgroup/memory/job', unseen) }, 189, 191)).toBe('yes no');
    });

    it('is that of the group that a container was given, wherever it is mounted', () => {
      const point = '/sys/control\\040groups';
      const inside = within('sys/control groups', full);
      const mounted = '/docker/ab';
      expect(answers({ ...separate('/docker/ab', { mounted, point }), ...inside }, 149, 151)).toBe('yes no');
      expect(answers({ ...separate('/', { mounted, point }), ...inside }, 149, 151)).toBe('yes no');
    });
  });
});

// Of 1400 vectors the products of all pairs take 70 MB, though three matrices of them would take 47.
it.runIf(process.platform === 'linux' && freemem() > 400 * MEGABYTE)(
  'all memory that the products of pairs take is held against what there is',
  async () => {
    const kernels = process.arch === 'x64' ? /kernels_(avx|neon)/ : /kernels_avx/;
    const cpu = readdirSync('native/cpu').filter((name) => name.endsWith('.cpp') && !kernels.test(name));
    const program = await compileTestProgram(process.env.CXX || 'c++', {
      name: 'collect_limit',
      sources: [
        'test/native/collect_limit.cpp',
        'native/core/control_groups.cpp',
        'native/core/layout.cpp',
        'native/core/memory.cpp',
        ...cpu.map((name) => `native/cpu/${name}`),
      ],
      flags: ['-O0', '-DPIKE_SYSTEM_ROOT=std::getenv("PIKE_TEST_ROOT")'],
    });
    const root = mkdtempSync(join(tmpdir(), 'pike-test-'));
    try {
      mkdirSync(join(root, 'proc/self'), { recursive: true });
      writeFileSync(join(root, 'proc/self/cgroup'), '0::/\n');
      writeFileSync(join(root, 'proc/self/mountinfo'), '1 0 0:1 / / rw - cgroup2 cgroup rw\n');
      writeFileSync(join(root, 'memory.current'), '0\n');
      const env = { ...process.env, PIKE_TEST_ROOT: root, PIKE_MIXER_INSTRUCTION_SET: 'portable' };
      const run = (tasks: number) => {
        rmSync(join(root, 'memory.max'), { force: true });
        const args = [join(root, 'memory.max'), String(tasks)];
        const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env });
        return [status, stdout.trim(), stderr];
      };
      // Of less than 64 MiB nobody would ask.
      expect(run(1800)).toEqual([0, 'refused', '']);
      expect(run(1600)).toEqual([0, 'had', '']);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  },
  180_000,
);

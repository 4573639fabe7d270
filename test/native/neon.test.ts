/**
 * The kernels for arm64 where there is no such processor: compiled for one and run under emulation, over random shapes
 * and hostile data, against plain loops. On Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { arch } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { compileTestProgram } from './compile.js';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATORS = ['qemu-aarch64-static', 'qemu-aarch64'];
const works = (command: string) => spawnSync(command, ['--version']).status === 0;

const compiler = works(COMPILER);
const emulator = EMULATORS.find(works);

const compiled = compiler && arch() !== 'arm64';

function how(): string {
  if (arch() === 'arm64') return 'skipped: every test of the CPU backend runs them on this machine';
  if (!compiler) return `skipped: there is no ${COMPILER}`;
  return emulator ? 'emulated' : `compiled only: there is no ${EMULATORS.join(' or ')}`;
}

it.runIf(compiled)(
  `kernels for arm64, ${how()}`,
  async () => {
    const cpu = readdirSync(join(root, 'native/cpu')).filter((name) => name.endsWith('.cpp'));
    const program = await compileTestProgram(COMPILER, {
      name: 'cpu_kernels-arm64',
      sources: [
        'test/native/cpu_kernels.cpp',
        'native/core/control_groups.cpp',
        'native/core/layout.cpp',
        'native/core/memory.cpp',
        ...cpu.map((name) => `native/cpu/${name}`),
      ],
      flags: ['-static'],
    });
    for (const instructionSet of emulator ? ['neon', 'portable'] : []) {
      const env = { ...process.env, PIKE_MIXER_INSTRUCTION_SET: instructionSet };
      const { status, stdout, stderr } = spawnSync(emulator!, [program, '90', '1'], {
        encoding: 'utf8',
        env,
        timeout: 60_000,
      });
      expect(status, stdout + stderr).toBe(0);
      expect(stdout).toMatch(new RegExp(`^${instructionSet}$`, 'm'));
    }
  },
  120_000,
);

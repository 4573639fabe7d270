import { spawnSync } from 'node:child_process';
import { availableParallelism, platform } from 'node:os';
import { expect, it } from 'vitest';
import { compileTestProgram } from './compile.js';

it.runIf(platform() === 'linux' && availableParallelism() > 1)(
  'a thread that finds another of its loop on its processor leaves, and may go wherever it might before',
  async () => {
    const program = await compileTestProgram(process.env.CXX || 'c++', {
      name: 'own_processor',
      sources: ['test/native/own_processor.cpp', 'native/cpu/own_processor.cpp'],
    });
    const { status, stderr } = spawnSync(program, { encoding: 'utf8', timeout: 30_000 });
    expect(status, stderr).toBe(0);
    expect(stderr).toBe('');
  },
  60_000,
);

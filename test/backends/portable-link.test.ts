/** native/portable, on a library of three lines: whole builds take minutes. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { thisPlatform } from '../../lib/backends/platform.js';
import { Elf, newestGlibc } from '../../native/elf.mjs';
import { ROOT, runWell } from '../support/packed.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const hasCmake = spawnSync('cmake', ['--version']).status === 0;

it.runIf(hasCmake && thisPlatform().libc === 'glibc')(
  'links for an old glibc, also in a folder with a space in its name',
  () => {
    const place = join(folder, 'my project');
    mkdirSync(place);
    writeFileSync(
      join(place, 'CMakeLists.txt'),
      `cmake_minimum_required(VERSION 3.22)
       project(pike_mixer LANGUAGES CXX)
       add_library(pike_mixer SHARED threads.cpp)
       include(${JSON.stringify(join(ROOT, 'native/portable/portable.cmake'))})`,
    );
    writeFileSync(
      join(place, 'threads.cpp'),
      `#include <thread>
       extern "C" __attribute__((visibility("default"))) void napi_register_module_v1() { std::thread([] {}).join(); }`,
    );
    const built = join(place, 'build');
    runWell('cmake', ['-S', place, '-B', built, '-DPIKE_PORTABLE=ON', '-DCMAKE_BUILD_TYPE=Release'], place);
    runWell('cmake', ['--build', built], place);
    const elf = new Elf(readFileSync(join(built, 'libpike_mixer.so')));
    expect(elf.needed).toContain('libpthread.so.0');
    expect(elf.needed.filter((name: string) => /stdc|\/|\.\./.test(name))).toEqual([]);
    const [major, minor] = newestGlibc(elf.neededVersions)!;
    expect(major === 2 && minor <= 17, `glibc ${major}.${minor}`).toBe(true);
    expect(elf.exported).toEqual(['napi_register_module_v1']);
  },
);

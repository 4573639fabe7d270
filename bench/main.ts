#!/usr/bin/env node
/** Benchmarks, by the name of what they measure: `npm run bench -- gpu`. */
import { runGpuBench } from './gpu/command.js';

const benches: Record<string, (args: readonly string[]) => Promise<number>> = { gpu: runGpuBench };

const [name = '', ...args] = process.argv.slice(2);
if (Object.hasOwn(benches, name)) {
  process.exitCode = await benches[name](args);
} else {
  console.error(
    `bench: expected one of ${Object.keys(benches).join(', ')} first, but got '${name}'; see --help of each`,
  );
  process.exitCode = 1;
}

#!/usr/bin/env node
/** Benchmarks, by the name of what they measure: `npm run bench -- gpu`. */

/** Loaded when asked for: that of a GPU runs where nothing is installed that that of a CPU needs. */
const benches: Record<string, () => Promise<(args: readonly string[]) => Promise<number>>> = {
  gpu: async () => (await import('./gpu/command.js')).runGpuBench,
  cpu: async () => (await import('./cpu/command.js')).runCpuBench,
  rules: async () => (await import('./rules/command.js')).runRulesBench,
};

const [name = '', ...args] = process.argv.slice(2);
if (Object.hasOwn(benches, name)) {
  const run = await benches[name]();
  process.exitCode = await run(args);
} else {
  console.error(
    `bench: expected one of ${Object.keys(benches).join(', ')} first, but got '${name}'; see --help of each`,
  );
  process.exitCode = 1;
}

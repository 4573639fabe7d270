#!/usr/bin/env node
/** Benchmarks, by the name of what they measure: `npm run bench -- gpu`. */

/** Loaded when asked for: that of a GPU runs where nothing is installed that that of a CPU needs. */
const benches: Record<string, () => Promise<(args: readonly string[]) => Promise<number>>> = {
  gpu: async () => (await import('./gpu/command.js')).runGpuBench,
  cpu: async () => (await import('./cpu/command.js')).runCpuBench,
  rules: async () => (await import('./rules/command.js')).runRulesBench,
};

const usage = `Measures speed, and holds it against targets: npm run bench -- NAME [FLAGS]

  cpu     the kernels on this machine's CPU, next to its memory and to other libraries
  gpu     the CUDA kernels on this machine's GPU: results, bits, speed
  rules   what an update of 128 weights costs by every rule

npm run bench -- NAME --help tells the flags of each.`;

const [name = '', ...args] = process.argv.slice(2);
if (name === '--help' || name === '-h') console.log(usage);
else if (Object.hasOwn(benches, name)) {
  const run = await benches[name]();
  process.exitCode = await run(args);
} else {
  console.error(
    `bench: expected one of ${Object.keys(benches).join(', ')} first, but got '${name}'; see --help of each`,
  );
  process.exitCode = 1;
}

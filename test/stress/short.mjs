/** The short form of every script, one after the other; see README.md. `node test/stress/short.mjs [name …]`. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SHORT = {
  'fuzz-arguments': ['--runs', '8000'],
  'fuzz-states': ['--runs', '2000'],
  exits: ['--rounds', '1'],
  lifecycle: ['--cycles', '600'],
  memory: [],
  flood: ['--calls', '600'],
  workers: ['--workers', '40'],
  soak: ['--minutes', '1'],
  fuzz: ['--seconds', '12'],
  races: ['--seconds', '15'],
  sanitize: [],
};

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(SHORT);
const began = performance.now();
const failed = [];
for (const name of names) {
  const at = performance.now();
  const script = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const { status } = spawnSync(process.execPath, [script, ...SHORT[name]], { stdio: 'inherit' });
  console.log(
    `stress: ${name}: ${status === 0 ? 'good' : 'FAILED'}, ${((performance.now() - at) / 1000).toFixed(0)} s`,
  );
  if (status !== 0) failed.push(name);
}
console.log(
  `stress: ${failed.length === 0 ? 'all good' : `FAILED: ${failed.join(', ')}`}, ${((performance.now() - began) / 1000).toFixed(0)} s`,
);
process.exitCode = failed.length > 0 ? 1 : 0;

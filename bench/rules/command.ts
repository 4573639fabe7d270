/** `npm run bench -- rules`: what an update of the weights costs by every rule. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import { SIZES, type Size } from '../../dist/throughput/size.js';
import { runPartHere } from '../part-process.js';
import { partReport } from '../report.js';
import { COMMON_FLAGS, checkCommon, parseFlags, runAll, UsageError } from '../run.js';
import { update } from './update.js';

const usage = `Times one update of the weights of 128 tasks by every rule, in TypeScript and, where there is a C++ compiler, in
native/math on one thread. Exit code 0 when every update stays below its limit, 1 when one does not.
Nothing else should be running.

  --quick         less of everything
  --size NAME     ${SIZES.join(', ')} (default full); tiny only shows that it runs
  --json FILE     where all figures go (default bench/results/rules-MODEL.json)
  --part NAME     only one part, without a file: environment, update
  --help          this text`;

const parts = {
  environment: () => {
    const data = {
      cpu: cpus()[0]?.model.trim() || 'unknown',
      cores: String(availableParallelism()),
      load: loadavg()[0].toFixed(1),
      node: process.version,
    };
    return partReport({ tables: [{ title: '', head: ['', ''], rows: Object.entries(data) }], data });
  },
  update: (size: Size) => update(size),
};

/** @returns the exit code */
export async function runRulesBench(args: readonly string[]): Promise<number> {
  try {
    const given = parseFlags(args, COMMON_FLAGS);
    const { size, part } = checkCommon(given, Object.keys(parts));
    if (given.help) {
      console.log(usage);
      return 0;
    }
    const runPart = async (name: string) => parts[name as keyof typeof parts](size);
    if (part !== null)
      return await runPartHere(
        part,
        () => runPart(part),
        (reason) => `bench rules: ${reason}`,
      );
    return await runAll({
      name: 'rules',
      parts: ['update'],
      runPart,
      nameOf: (environment) => (environment as { cpu: string }).cpu,
      size,
      json: given.json ?? null,
      args,
    });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    console.error(`bench rules: ${error.message}`);
    return 1;
  }
}

/** What is being measured on. */
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { type PartReport, partReport } from '../report.js';
import { requireAddon } from './addon.js';

/** Load from which on figures are not to be trusted: a core that another has is missing from ours. */
const MOST_LOAD = 0.5;

export interface Environment {
  readonly cpu: string;
  readonly cores: string;
  readonly memory: string;
  /** How many threads of whatever wanted to run in the minute before; 0.0 is best. */
  readonly load: string;
  /** Of the kernels, and of the probes. */
  readonly instructionSet: string;
  readonly probes: string;
  /** Of the system: [always], [madvise] or [never]. */
  readonly hugePages: string;
  readonly compiler: string;
  readonly node: string;
  readonly platform: string;
}

/** @throws RefusedError without an addon */
export async function environment(): Promise<PartReport> {
  const { buildInfo, hostTools } = requireAddon();
  const data: Environment = {
    cpu: cpus()[0]?.model.trim() || 'unknown',
    cores: String(availableParallelism()),
    memory: `${(totalmem() / 1e9).toFixed(1)} GB`,
    load: loadavg()[0].toFixed(1),
    instructionSet: buildInfo.instructionSet,
    probes: hostTools.instructionSet,
    hugePages: hugePages(),
    compiler: buildInfo.compiler,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
  };
  return partReport({
    tables: [{ title: '', head: ['', ''], rows: Object.entries(data) }],
    notes:
      loadavg()[0] > MOST_LOAD ? [`Something else was running (load ${data.load}): figures may be low.`] : [],
    data,
  });
}

function hugePages(): string {
  try {
    return readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8').trim();
  } catch {
    return 'unknown';
  }
}

/** The parts of the bench, each in a process of its own: memory of one is no burden on the next. */
import { fileURLToPath } from 'node:url';
import type { Size } from '../../dist/throughput/size.js';
import { runPartHere, runPartInChild } from '../part-process.js';
import type { PartReport } from '../report.js';
import { blas } from './blas.js';
import { environment } from './environment.js';
import { eventLoop } from './event-loop.js';
import { javascript } from './javascript.js';
import { micro } from './micro.js';
import { streaming } from './streaming.js';
import { tensors } from './tensors.js';
import { tfjs } from './tfjs.js';
import { throughput } from './throughput.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

const parts: Readonly<Record<string, (size: Size) => PartReport | Promise<PartReport>>> = {
  environment,
  throughput,
  streaming,
  tensors,
  python: (size) => blas(size),
  tfjs,
  javascript,
  'event-loop': eventLoop,
  micro,
};

export const ALL_PARTS = Object.keys(parts);
/** Those that the bench runs, in this order, once it knows the environment. */
export const PARTS = ALL_PARTS.slice(1);

export const explain = (reason: string) => `bench cpu: the native addon cannot be used: ${reason}`;

/** @throws RefusedError with the reason, if there is no addon */
export const runInChild = (part: string, size: Size): Promise<PartReport> =>
  runPartInChild(PROGRAM, ['cpu', '--part', part, '--size', size]);

/** The child's side, and that of whoever runs one part by hand. Returns the exit code. */
export const runHere = (part: string, size: Size): Promise<number> =>
  runPartHere(part, () => parts[part](size), explain);

/**
 * The parts of the bench, each in a process of its own: an error that takes the GPU from a process ends one part, and
 * memory of one is no burden on the next.
 */
import { fileURLToPath } from 'node:url';
import type { Size } from '../../dist/throughput/size.js';
import { runPartHere, runPartInChild } from '../part-process.js';
import { type PartReport, partReport } from '../report.js';
import { bits } from './bits.js';
import { environment } from './environment.js';
import { mixer } from './mixer.js';
import { parity } from './parity.js';
import { peers } from './peers.js';
import { sanitizer } from './sanitizer.js';
import { throughput } from './throughput.js';
import { weights } from './weights.js';

const PROGRAM = fileURLToPath(new URL('../main.js', import.meta.url));

const argumentsOf = (part: string, size: Size) => ['gpu', '--part', part, '--size', size];

const parts: Readonly<Record<string, (size: Size) => PartReport | Promise<PartReport>>> = {
  environment,
  parity,
  weights,
  mixer,
  bits,
  sanitizer: () => sanitizer([PROGRAM, ...argumentsOf('verification', 'tiny')]),
  throughput,
  PyTorch: peers,
  // Not one of the bench: what the sanitizer runs.
  verification: async (size) => {
    const reports = [await parity(size), await weights(size)];
    return partReport({ checks: reports.flatMap((report) => report.checks) });
  },
};

/** Those that the bench runs, in this order, once it knows that there is a GPU. */
export const PARTS = ['parity', 'weights', 'mixer', 'bits', 'sanitizer', 'throughput', 'PyTorch'];
export const ALL_PARTS = Object.keys(parts);

/**
 * Runs a part in a child process.
 *
 * @throws RefusedError with the reason, if there is no GPU
 */
export const runInChild = (part: string, size: Size): Promise<PartReport> =>
  runPartInChild(PROGRAM, argumentsOf(part, size));

/** The child's side, and that of whoever runs one part by hand. Returns the exit code. */
export const runHere = (part: string, size: Size): Promise<number> =>
  runPartHere(
    part,
    () => parts[part](size),
    (reason) => `bench gpu: no GPU can be used: ${reason}`,
  );

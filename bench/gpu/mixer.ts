/** The way that users go: gradients in device memory through `Mixer`, next to the same ones in host memory. */
import { PikeError } from '../../dist/errors.js';
import { Mixer } from '../../dist/index.js';
import type { UpdateReport } from '../../dist/mixer/report.js';
import type { Size } from '../../dist/throughput/size.js';
import { expectedMoments, hostGradient, TYPICAL_ERROR } from '../../dist/verification/compare.js';
import {
  DEVICE_DTYPES,
  drawInputs,
  type Inputs,
  type Problem,
  problem,
} from '../../dist/verification/inputs.js';
import { below, type Check, type PartReport, partReport } from '../report.js';
import { Gpu } from './device.js';

const TASKS = ['a', 'b', 'c'];
const UPDATES = 3;
/** Statistics that differ by rounding move weights by no more than this. */
const MOST_WEIGHT_DIFFERENCE = 1e-5;

export async function mixer(size: Size): Promise<PartReport> {
  const gpu = new Gpu();
  const checks: Check[] = [];
  for (const dtype of DEVICE_DTYPES)
    for (const streamed of [false, true]) {
      using device = new Mixer({ tasks: TASKS, batchSize: 96, backend: 'cuda' });
      using host = new Mixer({ tasks: TASKS, batchSize: 96, backend: 'reference' });
      const way = `${dtype}, ${streamed ? 'observe' : 'measure'}`;
      for (let update = 1; update <= UPDATES; update++) {
        const given = problem({
          dtype,
          lengths: [size === 'tiny' ? 300 : 30_011, 17],
          rowsPerTask: [4, 3, 4],
          inner: false,
          streamed,
          seed: update,
        });
        const inputs = drawInputs(given);
        const reports = [await report(device, given, inputs, gpu), await report(host, given, inputs, null)];
        gpu.release();
        const { largestNorm } = await expectedMoments(given, inputs);
        checks.push(...compareReports(`${way}, update ${update}`, reports, largestNorm));
      }
    }
  checks.push(await refusesForeignAddress(gpu));
  return partReport({ checks });
}

/** One measurement, of rows in device memory where there is a GPU. */
async function report(of: Mixer, given: Problem, inputs: Inputs, gpu: Gpu | null): Promise<UpdateReport> {
  const rows = inputs.rows.map((task) =>
    task.map((tensors) =>
      gpu ? gpu.upload(tensors, [given.dtype], 1) : hostGradient(tensors, [given.dtype]),
    ),
  );
  if (!given.streamed) return await of.measure(rows, { samples: inputs.samples });
  for (let k = 0; k < rows.length; k++)
    for (let i = 0; i < rows[k].length; i++)
      await of.observe(TASKS[k], rows[k][i], { samples: inputs.samples[k][i] });
  return await of.update();
}

/** @param largestNorm u_k of every task */
export function compareReports(
  what: string,
  [device, host]: readonly Pick<UpdateReport, 'statistics' | 'weights'>[],
  largestNorm: Float64Array,
): Check[] {
  const largest = (differences: readonly number[]) =>
    differences.some(Number.isNaN) ? Number.NaN : Math.max(...differences);
  const [own, expected] = [device.statistics, host.statistics];
  const errors = Array.from(largestNorm, (u, k) => [
    Math.abs(own.normSquared[k] - expected.normSquared[k]) / u ** 2,
    Math.abs(own.variance[k] - expected.variance[k]) / (expected.samples[k] * u ** 2),
  ]).flat();
  const weights = Array.from(host.weights, (weight, k) => Math.abs(device.weights[k] - weight));
  return [
    below(`${what}: statistics`, largest(errors), TYPICAL_ERROR),
    below(`${what}: weights`, largest(weights), MOST_WEIGHT_DIFFERENCE),
  ];
}

/** Memory that is not the GPU's must be noticed before a kernel reads it: afterwards the GPU is lost. */
async function refusesForeignAddress(gpu: Gpu): Promise<Check> {
  const tasks = ['a', 'b'];
  const samples = [
    [1, 1],
    [1, 1],
  ];
  const rowsAt = (pointer: bigint) =>
    samples.map((task) => task.map(() => ({ pointer, length: 8, dtype: 'float32' as const })));
  using given = new Mixer({ tasks, batchSize: 8, backend: 'cuda' });
  let found = 'it was read';
  try {
    await given.measure(rowsAt(4096n), { samples });
  } catch (error) {
    found = error instanceof PikeError ? error.code : String(error);
  }
  const address = gpu.allocate(32);
  gpu.copy(address, new Float32Array(8).fill(1), 32);
  const after = await given.measure(rowsAt(address), { samples });
  const refused = /^ERR_(?!CUDA)/.test(found);
  return {
    what: 'an address of no memory is refused, and the GPU goes on',
    found,
    promised: 'an error that is none of CUDA',
    kept: refused && after.missed.length === 0,
  };
}

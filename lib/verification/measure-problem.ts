/** A problem in the memory of the host, measured by a backend, and how far from the truth the result is. */
import type { Backend, MomentsRequest } from '../backends/backend.js';
import { viewGradient } from '../gradients/gradient.js';
import type { HostView } from '../gradients/host-gradient.js';
import type { Moments } from '../statistics/statistics.js';
import { type Expected, expectedMoments, hostGradient, largestError } from './compare.js';
import { drawInputs, dtypesOf, type Inputs, type Memory } from './inputs.js';
import { type HostRequest, plainMoments } from './plain-sums.js';
import type { HostProblem } from './problem-set.js';

/** Misalignment comes in so many kinds. */
const SHIFTS = 8;

/** The rows as a backend takes them: row r lies r · shift elements out of alignment. */
export function hostRequest(
  problem: HostProblem,
  inputs: Inputs,
  rowScalars: boolean | 'optional',
): HostRequest {
  const { metric, shift, inner } = problem;
  const dtypes = dtypesOf(problem);
  let row = 0;
  const rows = inputs.rows.map((task) =>
    task.map((tensors) => {
      const by = (row++ * shift) % SHIFTS;
      return view(
        tensors.map((tensor) => moved(tensor, by, row)),
        dtypes,
      );
    }),
  );
  const preconditioner =
    metric && inputs.metric
      ? view(
          inputs.metric.map((tensor) => moved(tensor, shift % SHIFTS, 0)),
          metric,
        )
      : null;
  return { rows, samples: inputs.samples, preconditioner, inner, rowScalars };
}

function view(tensors: readonly Memory[], dtypes: Parameters<typeof hostGradient>[1]): HostView {
  return viewGradient(hostGradient(tensors, dtypes), 'gradient') as HostView;
}

/** A copy some elements behind the beginning of its buffer, which every other time is one that threads share. */
function moved(tensor: Memory, elements: number, row: number): Memory {
  const bytes = tensor.byteLength + SHIFTS * tensor.BYTES_PER_ELEMENT;
  const buffer = row % 2 ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const ArrayType = tensor.constructor as new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => Memory;
  const copy = new ArrayType(buffer, elements * tensor.BYTES_PER_ELEMENT, tensor.length);
  copy.set(tensor);
  return copy;
}

/** All rows at once, or one after the other. */
export async function measure(
  backend: Backend,
  request: MomentsRequest,
  streamed: boolean,
): Promise<Moments> {
  if (!streamed) return await backend.moments(request);
  const { rows, samples, preconditioner, inner } = request;
  const stream = backend.stream({ tasks: rows.length, layout: rows.flat()[0], inner });
  try {
    for (let k = 0; k < rows.length; k++)
      for (let i = 0; i < rows[k].length; i++) await stream.add(k, rows[k][i], samples[k][i], preconditioner);
    return await stream.moments();
  } finally {
    stream.dispose();
  }
}

/** The largest error of a result in units of what is promised, for ε = 1. */
export async function errorOf(backend: Backend, problem: HostProblem): Promise<number> {
  const inputs = drawInputs(problem);
  // A GPU gives the scalars per row only where that costs no further pass.
  const request = hostRequest(problem, inputs, backend.name === 'cuda' ? 'optional' : true);
  const moments = await measure(backend, request, problem.streamed);
  const truth = backend.name === 'reference' ? plainTruth(request) : await expectedMoments(problem, inputs);
  const rows = !problem.streamed && (backend.name !== 'cuda' || moments.rowDeviation !== null);
  return largestError(moments, truth, rows);
}

/** The reference itself is held against plain loops. */
function plainTruth(request: HostRequest): Expected {
  const norm = (row: HostView) =>
    plainMoments({ ...request, rows: [[row]], samples: [[1]] }).meanNormSquared[0];
  const largestNorm = request.rows.map((task) => Math.sqrt(Math.max(0, ...task.map(norm))));
  return { moments: plainMoments(request), largestNorm: Float64Array.from(largestNorm) };
}

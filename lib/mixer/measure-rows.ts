/** The batch path: from the rows of the active tasks to an update, computed beside the state. */
import type { checkRows } from '../backends/measure.js';
import { momentsOf, noMoments } from '../statistics/subset.js';
import type { BackendInUse } from './backend-in-use.js';
import type { LossAverage } from './measurement.js';
import type { Mixture } from './mixture.js';
import type { MeasureOptions } from './options.js';
import { updateToSolve } from './solving.js';
import { type ComputedUpdate, computeUpdate, type UpdateInput } from './update.js';

/**
 * @param input what an update starts from, as it is when called
 * @param checked rows of all K tasks; those of retired ones are left out
 */
export async function measureRows(
  backends: BackendInUse,
  mixture: Mixture,
  input: () => UpdateInput,
  { rows, samples, preconditioner }: ReturnType<typeof checkRows>,
  losses: LossAverage,
  { signal, learningRate }: MeasureOptions,
): Promise<ComputedUpdate> {
  const { active } = mixture;
  const { inner } = input().options;
  const taken = { rows: active.pick(rows), samples: active.pick(samples) };
  const first = taken.rows.flat()[0];
  // All that were measured have been retired since the call.
  if (!first) {
    const none = noMoments(active.indices.length, inner);
    return computeUpdate(input(), none, active.pickLosses(losses), learningRate);
  }
  const backend = await backends.open(first);
  const request = { ...taken, preconditioner, inner, rowScalars: 'optional' as const, signal };
  // Not for a problem that has changed while the backend was opened.
  const unchanged = mixture.active === active;
  const update =
    unchanged && backend.solve ? updateToSolve(input(), active.pickLosses(losses), learningRate) : null;
  const { moments, solved } = update
    ? await backend.solve!(request, update)
    : { moments: await backend.moments(request), solved: null };
  const now = mixture.active;
  if (now === active)
    return computeUpdate(input(), moments, active.pickLosses(losses), learningRate, solved, taken.samples);
  // A task was retired meanwhile: what was solved is another problem than the one that remains.
  const rest = momentsOf(moments, now.placesIn(active));
  return computeUpdate(input(), rest, now.pickLosses(losses), learningRate, null, now.pick(samples));
}

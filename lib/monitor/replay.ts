/**
 * Computes the weights of a logged run again, under other rules and parameters, from the raw statistics and losses of its
 * updates and by the code that the Mixer runs (`Mixture`, `recomputeUpdate`).
 *
 * What was measured depends on the weights that were trained with: other weights would have led to another model, and that to other
 * gradients and losses. So the farther a replayed trajectory lies from the logged one, the less it tells; whether a mixture trains
 * better, only training tells.
 */
import { PikeError } from '../errors.js';
import type { ResolvedOptions } from '../mixer/options.js';
import { show } from '../validate.js';
import type { ByTask, UpdateEvent } from './events.js';
import type { LoggedRun } from './logged-run.js';
import { type ReplayChanges, replayedOptions } from './replay-options.js';
import { ReplayedRun } from './replayed-run.js';

/** What a replay has given, and how far it is from what was logged. */
export interface Replay {
  /** What was changed. */
  readonly changes: ReplayChanges;
  /** As if it had been logged: starts, updates, retirements and warnings, no steps. */
  readonly run: LoggedRun;
  /** At the end. */
  readonly weights: ByTask;
  /**
   * How far the replayed weights are from the logged ones after each logged update: half the sum of |differences|, the share of the
   * batch that would have gone to other tasks. Their mean and the largest.
   */
  readonly distance: {
    /** Over all logged updates. */
    readonly mean: number;
    /** After any of them. */
    readonly largest: number;
  };
  /** Largest |difference| of any weight from the logged one. */
  readonly deviation: number;
  /** Largest distance between the weights before and after one update. */
  readonly largestMove: number;
  /** Updates that were computed: fewer than logged with a larger `updateInterval`. */
  readonly updates: number;
  /** What a reader should know, such as a gap in the log. */
  readonly notices: readonly string[];
}

/**
 * @param run as `readRunLog` gives it
 * @param changes options to change; every other is as logged. With a larger `updateInterval` the measurements in between are left out,
 *   as they would not have been taken. `learningRate` takes the place of those that came with updates. A WeightRule of your own may
 *   be passed as `rule`.
 * @throws PikeError `ERR_INVALID_OPTION` for changes that a Mixer would refuse, a smaller `updateInterval`, a logged rule that only an
 *   object can tell, or a rule that needs what was not logged (losses, gradients, inner products); `ERR_RUN_LOG` when the log does
 *   not hold what it begins with, or holds options that no Mixer can have had
 */
export function replay(run: LoggedRun, changes: ReplayChanges = {}): Replay {
  if (!Array.isArray(run?.starts) || !Array.isArray(run.history))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `replay takes a run as readRunLog gives it, but got ${show(run)}.`,
    );
  const optionsOf = new Map<object, ResolvedOptions>();
  for (const start of run.starts) optionsOf.set(start, replayedOptions(start, changes));
  const replayed = new ReplayedRun(run, changes, optionsOf.get(run.start)!);
  const account = new DistanceAccount(run.tasks);
  for (const event of run.history) {
    if (event.event === 'start') replayed.start(event, optionsOf.get(event)!);
    else if (event.event === 'retire') replayed.retire(event);
    else if (event.event === 'update') {
      replayed.update(event);
      account.add(event, replayed.weights);
    }
  }
  const result = replayed.result();
  return {
    changes,
    run: result,
    weights: replayed.weights,
    distance: account.distance,
    deviation: account.deviation,
    largestMove: largestMove(result.updates, run.tasks),
    updates: result.updates.length,
    notices: replayed.notices,
  };
}

/** Half the sum of |differences| of weights: the share of a batch that goes to other tasks. */
function distance(tasks: readonly string[], a: ByTask, b: ByTask): number {
  return tasks.reduce((sum, task) => sum + Math.abs(a[task] - b[task]) / 2, 0);
}

/** Largest distance between the weights before and after one update. */
export function largestMove(updates: readonly UpdateEvent[], tasks: readonly string[]): number {
  return updates.reduce(
    (largest, { previous, weights }) => Math.max(largest, distance(tasks, previous, weights)),
    0,
  );
}

class DistanceAccount {
  readonly #tasks: readonly string[];
  #sum = 0;
  #count = 0;
  #largest = 0;
  deviation = 0;

  constructor(tasks: readonly string[]) {
    this.#tasks = tasks;
  }

  add({ weights: logged }: UpdateEvent, replayed: ByTask): void {
    const apart = distance(this.#tasks, logged, replayed);
    this.#sum += apart;
    this.#count++;
    this.#largest = Math.max(this.#largest, apart);
    for (const task of this.#tasks)
      this.deviation = Math.max(this.deviation, Math.abs(logged[task] - replayed[task]));
  }

  get distance(): Replay['distance'] {
    return { mean: this.#count > 0 ? this.#sum / this.#count : 0, largest: this.#largest };
  }
}

/**
 * What is mixed now, and all that is remembered of it: a whole problem of the tasks that are active, of which rule,
 * averages and allocator alike know no others. What comes in is for all K tasks, and so is what goes out.
 */
import { Allocator, type AllocatorState } from '../batching/allocation.js';
import { PikeError } from '../errors.js';
import { canRetire, retireTask } from '../rules/retirement.js';
import { checkRuleState, decodeLogWeights, type RuleState, raiseToFloor } from '../rules/rule.js';
import { weightsOf } from '../rules/simplex.js';
import { initSmoothing, type SmoothingState } from '../statistics/smoothing.js';
import { smoothingOf } from '../statistics/subset.js';
import { ActiveTasks } from './active-tasks.js';
import type { ResolvedOptions } from './options.js';
import type { ComputedUpdate, UpdateInput } from './update.js';

/** Plain JSON. All but `retired` is of the active tasks. */
export interface MixtureState {
  /** Names of the tasks that take no part any more, in the order in which they were retired. */
  retired: string[];
  /** Factors for the tasks' losses in the training step. */
  lossWeights: number[];
  /** What the rule remembers, with the weights as `logWeights`. */
  rule: RuleState;
  /** The averages over updates. */
  smoothing: SmoothingState;
  /** What batches owe the tasks. */
  allocator: AllocatorState;
}

export class Mixture {
  readonly #all: ResolvedOptions;
  #active: ActiveTasks;
  /** The options of the problem of the active tasks. */
  #options: ResolvedOptions;
  /** Replaced, never changed. */
  #rule: RuleState;
  #known: { readonly of: RuleState; readonly weights: Float64Array } | null = null;
  #smoothing: SmoothingState;
  #lossWeights: Float64Array;
  #allocator: Allocator;

  /** @throws what the rule throws */
  constructor(options: ResolvedOptions) {
    const { tasks, batchSize, minPerTask, minWeight, inner, rule } = options;
    const K = tasks.length;
    this.#all = this.#options = options;
    this.#active = ActiveTasks.of(tasks);
    this.#rule = raiseToFloor(checkRuleState(rule.init(K, options), K), minWeight);
    this.#smoothing = initSmoothing(K, inner);
    this.#lossWeights = new Float64Array(K).fill(1);
    this.#allocator = new Allocator({ batchSize, tasks: K, minPerTask });
  }

  /** Goes on where `saved`, which must have been checked, was taken. */
  restore(saved: MixtureState): void {
    const active = ActiveTasks.of(this.#all.tasks, saved.retired);
    const { batchSize, minPerTask } = this.#all;
    const allocator = { ...saved.allocator, batchSize, tasks: active.indices.length, minPerTask };
    this.#allocator = Allocator.restore(allocator);
    this.#active = active;
    this.#options = optionsOf(this.#all, active);
    this.#rule = structuredClone(saved.rule);
    this.#smoothing = structuredClone(saved.smoothing);
    this.#lossWeights = Float64Array.from(saved.lossWeights);
  }

  get active(): ActiveTasks {
    return this.#active;
  }

  /** Length K; 0 for retired tasks. */
  get weights(): Float64Array {
    return this.#active.spread(this.#weights, 0);
  }

  /** Length K; 1 for retired tasks. */
  get lossWeights(): Float64Array {
    return this.#active.spread(this.#lossWeights, 1);
  }

  /** Counts of the next batch, length K. */
  next(atMost: ArrayLike<number> | undefined): Int32Array {
    return this.#active.spreadCounts(this.#allocator.next(this.#weights, this.#limits(atMost)));
  }

  peek(atMost: ArrayLike<number> | undefined): Int32Array {
    return this.#active.spreadCounts(this.#allocator.peek(this.#weights, this.#limits(atMost)));
  }

  /** Whether the rule can go on with fewer tasks. */
  get canRetire(): boolean {
    return canRetire(this.#options.rule, this.#rule);
  }

  /**
   * @param task one of the active tasks, of which there must be another
   * @throws PikeError `ERR_INVALID_OPTION`, `ERR_STATE` from the rule; nothing has changed then
   */
  retire(task: string, step: number): void {
    const active = this.#active.without(task);
    if (active.indices.length === 0)
      throw new PikeError('ERR_INVALID_OPTION', `'${task}' is the last task: there would be nothing to mix.`);
    const gone = this.#active.names.indexOf(task);
    const options = optionsOf(this.#all, active);
    const rule = retireTask(options.rule, this.#rule, gone, { step, options });
    const places = active.placesIn(this.#active);
    this.#smoothing = smoothingOf(this.#smoothing, places);
    this.#lossWeights = Float64Array.from(places, (i) => this.#lossWeights[i]);
    this.#allocator = this.#allocator.without(gone);
    this.#rule = rule;
    this.#options = options;
    this.#active = active;
  }

  /** What an update of the active tasks starts from. */
  input(step: number, passedOver: number): UpdateInput {
    return {
      options: this.#options,
      step,
      passedOver,
      rule: this.#rule,
      smoothing: this.#smoothing,
      lossWeights: this.#lossWeights,
      ...(this.#active.areAll ? {} : { active: this.#active.indices }),
    };
  }

  commit(next: ComputedUpdate): void {
    this.#smoothing = next.smoothing;
    this.#rule = next.rule;
    this.#lossWeights = next.lossWeights;
  }

  state(): MixtureState {
    return {
      retired: [...this.#active.retired],
      lossWeights: Array.from(this.#lossWeights),
      rule: structuredClone(this.#rule),
      smoothing: structuredClone(this.#smoothing),
      allocator: this.#allocator.state(),
    };
  }

  /** Asked for twice in every step, and changed by few. */
  get #weights(): Float64Array {
    if (this.#known?.of !== this.#rule)
      this.#known = {
        of: this.#rule,
        weights: weightsOf(decodeLogWeights(this.#rule.logWeights, this.#active.indices.length)),
      };
    return this.#known.weights;
  }

  #limits(atMost: ArrayLike<number> | undefined): number[] | undefined {
    const K = this.#all.tasks.length;
    if (atMost !== undefined && atMost?.length !== K)
      throw new PikeError('ERR_SHAPE', `atMost must be ${K} numbers, one per task.`);
    return atMost && this.#active.pick(atMost);
  }
}

/** Options of the active tasks: initial weights are shared out among them. */
function optionsOf(all: ResolvedOptions, active: ActiveTasks): ResolvedOptions {
  if (active.areAll) return all;
  const initial = active.pick(all.initialWeights);
  const sum = initial.reduce((total, w) => total + w, 0);
  return {
    ...all,
    tasks: active.names,
    initialWeights: initial.map((w) => (sum > 0 ? w / sum : 1 / initial.length)),
  };
}

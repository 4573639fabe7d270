/** A training loop of jax-js that measures on the training batches themselves. */
import type * as jaxjs from '@jax-js/jax';
import { PikeError } from '../../errors.js';
import type { Mixer } from '../../mixer/mixer.js';
import { hasMethods, requireBoolean, requireFunction, requireOptions, show } from '../../validate.js';
import {
  checkMeasuring,
  checkStepOptions,
  MEASURING_OPTIONS,
  requireMixer,
  STEP_OPTIONS,
} from '../common/checks.js';
import { RowCollector, type RowMode } from '../common/collector.js';
import type { DrawBatch } from '../common/micro-batches.js';
import { type StepOptions, type TrainStep, takeStep } from '../common/trainer.js';
import { type AdamOptions, checkAdamOptions, findAdam, requireMomentsOf } from './adam.js';
import type { DeviceBatch, HostBatch } from './batches.js';
import { JaxStack } from './stack.js';
import {
  consuming,
  disposeLeft,
  type Jax,
  type Optimizer,
  requireFloat32Leaves,
  requireJax,
  requireState,
  type Tree,
} from './trees.js';

/** Of `createTrainer`. */
export interface TrainerOptions<P extends Tree, B extends HostBatch> extends StepOptions {
  /** The initial parameters: float32 arrays, nested as you like. Consumed. */
  params: P;
  /** Such as optax's `adam(1e-3)`. */
  optimizer: Optimizer;
  /** Its state, to go on from. Consumed. Default `optimizer.init(params)`. */
  optimizerState?: unknown;
  /**
   * Returns `sum(counts)` samples, those of the first task first. Typed arrays have no shape: the first batch tells how wide
   * a sample is, and those after it must be alike.
   */
  draw: DrawBatch<B>;
  /**
   * The loss of every sample, [n], from parameters and a batch of n samples, by the ownership rules of jax-js: it consumes
   * both. It is traced for two values of n, and one sample's loss must not depend on the others.
   */
  losses: (params: P, batch: DeviceBatch<B>) => jaxjs.Array;
  /** 'optimizer' (default): Adam's metric, if the optimiser is an Adam, once it has taken ten steps. 'plain': gradients as they are. */
  metric?: 'optimizer' | 'plain';
  /** What Adam's state does not tell, if it differs from optax's defaults. */
  adam?: AdamOptions;
  /** false runs `optimizer.update` as it is: for one that reads its own state, such as optax' schedules (default true). */
  jitOptimizer?: boolean;
  /**
   * 'together' (default, up to 256 MiB of them): the rows of a measurement are kept and measured in one pass, with
   * standard errors. 'streamed': one by one, in the memory of one, without.
   */
  rows?: RowMode;
}

/** A training loop, which owns parameters and optimiser until it is disposed of. */
export interface Trainer<P extends Tree> {
  /**
   * Draws a batch, moves the parameters, and updates the weights if due, which goes on beside the optimiser's work. An error
   * of the pass or the optimiser leaves parameters and optimiser as they were; one of the mixer's update comes when they
   * have taken the step.
   *
   * @throws PikeError `ERR_ORDER` while a step is in flight, `ERR_DISPOSED`, `ERR_SHAPE`, `ERR_DTYPE`; or what `draw`,
   *   `losses` and the optimiser throw
   */
  step(): Promise<TrainStep>;
  /** The parameters, as a reference that is yours: hand it on or dispose it. */
  params(): P;
  /** The state of the optimiser, likewise. */
  optimizerState(): unknown;
  /**
   * Frees parameters, optimiser and compiled functions.
   *
   * @throws PikeError `ERR_ORDER` while a step is in flight
   */
  dispose(): void;
  /** As `dispose`, at the end of a `using` block. */
  [Symbol.dispose](): void;
}

/**
 * A training loop that measures on the training batches themselves. A plain step is one pass over the batch. When the mixer
 * is due, the batch is taken in task-pure micro-batches of at most `mixer.microBatchSize` samples, padded to it, whose
 * gradients are measured and together make the step: no sample is spent on measuring. Every shape is constant, so three
 * programs are compiled, each once.
 *
 * @throws PikeError `ERR_INVALID_OPTION`, `ERR_DTYPE`, `ERR_SHAPE`, `ERR_DISPOSED`; nothing is consumed then
 */
export function createTrainer<P extends Tree, B extends HostBatch>(
  jax: Jax,
  mixer: Mixer,
  options: TrainerOptions<P, B>,
): Trainer<P> {
  const leaves = checkArguments(jax, mixer, options);
  const { params, optimizerState, metric, adam = {} } = options;
  const collector = new RowCollector(
    mixer,
    leaves.map((leaf) => leaf.size),
    mostRows(mixer),
    options.rows,
  );
  const state = optimizerState === undefined ? initialState(jax, options) : optimizerState;
  const found = metric === 'plain' ? null : findAdam(jax, state);
  if (found) {
    try {
      requireMomentsOf(jax, found, leaves);
    } catch (error) {
      if (optimizerState === undefined) jax.tree.dispose(state as Tree);
      throw error;
    }
  }
  const stack = new JaxStack(jax, mixer, options as never, { params, state: state as Tree, adam });

  let inFlight = false;
  let disposed = false;
  const assertUsable = (what: string) => {
    if (disposed) throw new PikeError('ERR_DISPOSED', 'This trainer was disposed.');
    if (inFlight)
      throw new PikeError('ERR_ORDER', `${what} was called while a step is in flight; await the step first.`);
  };
  const dispose = () => {
    if (disposed) return;
    assertUsable('dispose');
    disposed = true;
    stack.dispose();
  };
  return {
    async step() {
      assertUsable('step');
      inFlight = true;
      try {
        return await takeStep(mixer, stack, collector, options);
      } finally {
        inFlight = false;
      }
    },
    params() {
      if (disposed) assertUsable('params');
      return jax.tree.ref(stack.params) as P;
    },
    optimizerState() {
      if (disposed) assertUsable('optimizerState');
      return jax.tree.ref(stack.state);
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}

/** Of counts that sum to b, each cut by the size of a micro-batch, but in two at least. */
function mostRows({ tasks, batchSize, microBatchSize }: Mixer): number {
  return 2 * tasks.length + Math.ceil(batchSize / microBatchSize);
}

function initialState<P extends Tree, B extends HostBatch>(
  jax: Jax,
  { params, optimizer, jitOptimizer = true }: TrainerOptions<P, B>,
): unknown {
  const given = jax.tree.ref(params);
  const state: unknown = consuming(jax, [given], () => optimizer.init(given));
  try {
    requireState(jax, 'What optimizer.init returned', state, jitOptimizer);
  } catch (error) {
    disposeLeft(jax, state);
    throw error;
  }
  return state;
}

const trainerOptions = [
  ...MEASURING_OPTIONS,
  ...STEP_OPTIONS,
  'params',
  'optimizer',
  'optimizerState',
  'losses',
  'adam',
  'jitOptimizer',
] as const satisfies readonly (keyof TrainerOptions<Tree, HostBatch>)[];

function checkArguments<P extends Tree, B extends HostBatch>(
  jax: Jax,
  mixer: Mixer,
  options: TrainerOptions<P, B>,
): jaxjs.Array[] {
  requireJax(jax);
  requireMixer(mixer);
  requireOptions('createTrainer', options, trainerOptions);
  const { losses, optimizer, optimizerState, adam, jitOptimizer } = options;
  checkMeasuring(options);
  requireFunction('losses', losses);
  if (!hasMethods(optimizer, ['init', 'update']))
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `optimizer must have the functions init and update, as those of optax do, but is ${show(optimizer)}.`,
    );
  if (adam !== undefined) checkAdamOptions(adam);
  if (jitOptimizer !== undefined) requireBoolean('jitOptimizer', jitOptimizer);
  checkStepOptions(options);
  const leaves = requireFloat32Leaves(jax, 'params', options.params);
  if (optimizerState !== undefined) requireState(jax, 'optimizerState', optimizerState, jitOptimizer ?? true);
  return leaves;
}

/** How jax-js takes a step: parameters and the optimiser's state, replaced as a whole once a step has been computed. */
import type * as jaxjs from '@jax-js/jax';
import type { Mixer } from '../../mixer/mixer.js';
import { ADAM_WARM_UP } from '../common/adam.js';
import type { RowCollector } from '../common/collector.js';
import type { Stopwatch } from '../common/cost.js';
import { cutBySize, type DrawBatch, type MicroBatch, onlyTask } from '../common/micro-batches.js';
import type { BatchLosses, Passes, Stack } from '../common/trainer.js';
import { type AdamOptions, adamMetric, findAdam, stepsOf } from './adam.js';
import { type HostBatch, Uploader } from './batches.js';
import { readArray, writeGradients } from './gradients.js';
import { compile, type Programs } from './programs.js';
import { consuming, disposeLeft, type Jax, type Optimizer, type Tree } from './trees.js';

interface StackOptions {
  readonly optimizer: Optimizer;
  readonly draw: DrawBatch<HostBatch>;
  readonly losses: (params: Tree, batch: Record<string, jaxjs.Array>) => jaxjs.Array;
  readonly metric?: 'optimizer' | 'plain';
  readonly jitOptimizer?: boolean;
}

export class JaxStack implements Stack {
  readonly wholeKnowsTasks = true;
  /** Owned; borrow them only while no step is in flight. */
  params: Tree;
  state: Tree;
  readonly #jax: Jax;
  readonly #mixer: Mixer;
  readonly #options: StackOptions;
  readonly #adam: AdamOptions;
  readonly #programs: Programs;
  readonly #uploader: Uploader<HostBatch>;

  constructor(
    jax: Jax,
    mixer: Mixer,
    options: StackOptions,
    owned: { params: Tree; state: Tree; adam: AdamOptions },
  ) {
    this.#jax = jax;
    this.#mixer = mixer;
    this.#options = options;
    this.#adam = owned.adam;
    this.params = owned.params;
    this.state = owned.state;
    this.#programs = compile(jax, options.losses, options.optimizer, options.jitOptimizer ?? true);
    this.#uploader = new Uploader(jax);
  }

  async ready(): Promise<boolean> {
    const adam = this.#options.metric === 'plain' ? null : findAdam(this.#jax, this.state);
    return !adam || (await stepsOf(adam)) >= ADAM_WARM_UP;
  }

  cut(count: number): readonly number[] {
    return cutBySize(this.#mixer.microBatchSize, count);
  }

  async whole(counts: Int32Array, watch: Stopwatch): Promise<BatchLosses> {
    const { tasks, batchSize, lossWeights } = this.#mixer;
    const drawn = await watch.time('draw', () => this.#options.draw(counts));
    const weights = new Float32Array(batchSize);
    let at = 0;
    for (const [k, count] of counts.entries()) {
      weights.fill(lossWeights[k] / batchSize, at, at + count);
      at += count;
    }
    const batch = this.#uploader.upload(drawn, batchSize, batchSize);
    const args = [this.#jax.tree.ref(this.params), batch, this.#jax.numpy.array(weights)] as const;
    const [losses, gradients] = consuming(this.#jax, args, () => this.#programs.whole(...args));
    let values: Float32Array;
    try {
      values = await readArray(losses);
    } catch (error) {
      disposeLeft(this.#jax, losses, gradients);
      throw error;
    }
    await this.#apply(gradients);
    const byTask: Record<string, number> = {};
    at = 0;
    for (const [k, count] of counts.entries()) {
      if (count > 0) byTask[tasks[k]] = mean(values.subarray(at, at + count));
      at += count;
    }
    return { mean: mean(values), tasks: byTask };
  }

  async byTask(
    batches: readonly MicroBatch[],
    factors: readonly number[],
    collector: RowCollector | null,
    watch: Stopwatch,
  ): Promise<Passes> {
    const jax = this.#jax;
    if (collector) await watch.time('observe', () => collector.begin(this.#metric()));
    const losses: number[] = [];
    let sum = jax.tree.map((leaf: jaxjs.Array) => jax.numpy.zeros(leaf.shape), this.params) as Tree;
    try {
      for (const [i, batch] of batches.entries()) {
        const [loss, gradients, next] = await this.#pass(batch, factors[i], sum, watch);
        sum = next;
        losses.push(loss);
        if (collector) {
          const write = writeGradients(jax, gradients);
          try {
            await watch.time('observe', () => collector.add(batch.task, batch.samples, loss, write));
          } catch (error) {
            disposeLeft(jax, gradients);
            throw error;
          }
        } else jax.tree.dispose(gradients);
      }
    } catch (error) {
      disposeLeft(jax, sum);
      throw error;
    }
    return { losses, step: () => this.#apply(sum) };
  }

  dispose(): void {
    this.#jax.tree.dispose(this.params);
    this.#jax.tree.dispose(this.state);
    this.#programs.dispose();
  }

  /** Mean loss and gradient of a micro-batch, and `sum`, which it consumes, with that gradient added. */
  async #pass(
    microBatch: MicroBatch,
    factor: number,
    sum: Tree,
    watch: Stopwatch,
  ): Promise<[number, Tree, Tree]> {
    const { tree, numpy: np } = this.#jax;
    const { samples } = microBatch;
    const size = this.#mixer.microBatchSize;
    const counts = onlyTask(this.#mixer.tasks.length, microBatch);
    const drawn = await watch.time('draw', () => this.#options.draw(counts));
    const batch = this.#uploader.upload(drawn, samples, size);
    const weights = np.array(new Float32Array(size).fill(1 / samples, 0, samples));
    const scale = np.array(Float32Array.of(factor), { shape: [] });
    const args = [tree.ref(this.params), batch, weights, sum, scale] as const;
    const [losses, gradients, next] = consuming(this.#jax, args, () => this.#programs.micro(...args));
    try {
      // Reading the losses runs the whole pass, so that reading the gradients later takes no more than that.
      return [mean((await readArray(losses)).subarray(0, samples)), gradients, next];
    } catch (error) {
      disposeLeft(this.#jax, losses, gradients, next);
      throw error;
    }
  }

  /** A step of the optimiser; consumes the gradients. */
  async #apply(gradients: Tree): Promise<void> {
    const { tree, blockUntilReady } = this.#jax;
    const args = [tree.ref(this.params), tree.ref(this.state), gradients] as const;
    const [params, state] = consuming(this.#jax, args, () => this.#programs.apply(...args));
    try {
      await blockUntilReady([params, state]);
    } catch (error) {
      disposeLeft(this.#jax, params, state);
      throw error;
    }
    tree.dispose(this.params);
    tree.dispose(this.state);
    [this.params, this.state] = [params, state];
  }

  #metric() {
    const adam = this.#options.metric === 'plain' ? null : findAdam(this.#jax, this.state);
    return adam && adamMetric(this.#jax, adam, this.#adam);
  }
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

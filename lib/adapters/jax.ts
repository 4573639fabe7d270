/**
 * jax-js: batches by the mixer's counts in constant shapes, per-task gradients under `jit`, and the metric of optax's Adam.
 *
 * `jax` is handed in, never imported: a second copy of jax-js would have a backend and a memory of its own.
 *
 * Ownership is that of jax-js. An array handed to a function is consumed by it unless it says otherwise; what a
 * function returns is the caller's to dispose or to hand on. Whatever is made on the way is freed, also on an error.
 *
 * @module pike-mixer/jax
 */
export type { RowMode } from './common/collector.js';
export type { StepCost } from './common/cost.js';
export type { DrawBatch } from './common/micro-batches.js';
export type { TrainStep } from './common/trainer.js';
export { type AdamOptions, adamPreconditioner } from './jax/adam.js';
export type { DeviceBatch, HostArray, HostBatch } from './jax/batches.js';
export { readGradient } from './jax/gradients.js';
export { createTrainer, type Trainer, type TrainerOptions } from './jax/trainer.js';
export type { Optimizer, Tree } from './jax/trees.js';

/**
 * TensorFlow.js: batches by the mixer's counts, per-task gradients from `tf.variableGrads`, and Adam's metric.
 *
 * `tf` is handed in, never imported: a second copy of TensorFlow.js would have an engine, variables and a
 * backend of its own. Nothing here leaks tensors: what a function makes, it disposes.
 *
 * @module pike-mixer/tfjs
 */
export type { RowMode } from './common/collector.js';
export type { StepCost } from './common/cost.js';
export type { DrawBatch } from './common/micro-batches.js';
export type { TrainStep } from './common/trainer.js';
export { adamPreconditioner } from './tfjs/adam.js';
export { drawFrom, type LabeledBatch, mixedDataset } from './tfjs/batches.js';
export type { BatchLoss, GradientOptions } from './tfjs/options.js';
export { createProbe, mixerCallback } from './tfjs/probe.js';
export type { Batch } from './tfjs/tensors.js';
export { createTrainer, type TrainerOptions } from './tfjs/trainer.js';

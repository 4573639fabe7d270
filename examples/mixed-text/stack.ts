import type { Mixer } from 'pike-mixer';
import type { TrainStep } from 'pike-mixer/tfjs';
import type { Source } from './sources.js';

/** A model on its way: it draws its own batches by the mixer's counts. */
export interface Learner {
  readonly parameters: number;
  /** Draws a batch, trains on it, and updates the mixer's weights if due. */
  step(): Promise<TrainStep>;
  /** Mean held-out loss of every source, in nats per byte, of the average of the last steps' weights. */
  evaluate(): Promise<number[]>;
  /** Tensors that are alive, where the stack counts them. */
  readonly tensors?: number;
  dispose(): void;
}

export interface LearnerOptions {
  mixer: Mixer;
  sources: readonly Source[];
  /** Initial weights and samples depend on it, and on nothing else. */
  seed: number;
  /** Whether the mixer measures. */
  adaptive: boolean;
}

/** A training stack with a model for it. */
export interface TextStack {
  /** What the model is, for the results: its parameters and what it predicts from what. */
  readonly model: string;
  /** Bytes the model sees. */
  readonly context: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Held-out evaluations of a run, evenly spaced, beside the one before training. */
  readonly evaluations: number;
  create(options: LearnerOptions): Learner;
}

export const stackNames = ['tfjs', 'jax'] as const;
export type StackName = (typeof stackNames)[number];

/** Loads only the stack that is asked for, and starts its WebAssembly backend. */
export async function startStack(name: StackName): Promise<TextStack> {
  if (name === 'jax') return (await import('./jax-stack.js')).jaxStack();
  return (await import('./tfjs-stack.js')).tfjsStack();
}

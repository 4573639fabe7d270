/** A run that can be killed at any time: what to save, when, and how to go on. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { loadState, MixedSource, type MixedSourceState, Mixer, saveState } from 'pike-mixer';
import { Classifier } from './model.js';
import { openSources, type Sample, tasks } from './sources.js';

const batchSize = 48;
const learningRate = 0.02;

/** All that a run needs to go on, as plain JSON: the mixture with its mixer, and the model. */
interface Checkpoint {
  mixed: MixedSourceState;
  parameters: number[];
}

/** What happened in a step, to the last bit. */
export interface Trace {
  readonly step: number;
  /** Numbers of the batch's samples, by task. */
  readonly samples: Record<string, number[]>;
  /** Of the samples that gradients were measured on, where they were. */
  readonly measured: Record<string, number[]>;
  /** After the step. */
  readonly weights: number[];
  /** Of the batch, before the step: it tells of every parameter of the model. */
  readonly loss: number;
}

export interface RunOptions {
  /** Holds the state and the data. */
  readonly folder: string;
  readonly steps: number;
  /** Steps from one save to the next, 0 for none. */
  readonly saveEvery: number;
  /** Told of each step, and before the first one where the run goes on. */
  readonly onStep: (trace: Trace) => void;
  readonly onResume?: (step: number) => void;
}

export async function run({ folder, steps, saveEvery, onStep, onResume }: RunOptions): Promise<void> {
  const path = join(folder, 'state.json');
  const sources = openSources(folder);
  const model = new Classifier();
  let mixed: MixedSource<Sample>;
  if (existsSync(path)) {
    const saved = await loadState<Checkpoint>(path);
    model.parameters.set(saved.parameters);
    mixed = MixedSource.restore<Sample>(saved.mixed, { sources });
    onResume?.(mixed.mixer.step);
  } else {
    const mixer = new Mixer({ tasks, batchSize, updateInterval: 4 });
    mixed = new MixedSource<Sample>({ mixer, sources, seed: 1 });
  }
  const { mixer } = mixed;
  if (mixer.step >= steps) return;

  for await (const batch of mixed) {
    const measured: Record<string, number[]> = {};
    if (mixer.due) {
      for (const task of mixer.tasks) {
        measured[task] = [];
        for (let i = 0; i < mixer.microBatches; i++) {
          const { samples, indices } = await mixed.draw(task, mixer.microBatchSize);
          const { gradient, loss } = model.gradient(samples);
          await mixer.observe(task, gradient, { samples: samples.length, loss });
          measured[task].push(...indices);
        }
      }
      await mixer.update();
    }
    const { gradient, loss } = model.gradient(batch.samples);
    model.step(gradient, learningRate);
    onStep({
      step: batch.step,
      samples: Object.fromEntries(Object.entries(batch.tasks).map(([task, { indices }]) => [task, indices])),
      measured,
      weights: Array.from(mixer.weights),
      loss,
    });
    if (saveEvery > 0 && mixer.step % saveEvery === 0) {
      const checkpoint: Checkpoint = { mixed: mixed.state(), parameters: Array.from(model.parameters) };
      await saveState(path, checkpoint);
    }
    if (mixer.step >= steps) break;
  }
}

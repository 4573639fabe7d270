/**
 * From gradients in a stack's own memory to a report: copies each once, into memory that is read off the event loop,
 * and hands it to `mixer.measure`, or to `mixer.observe` and `mixer.update`.
 */
import { GradientBuffer } from '../../backends/gradient-buffer.js';
import type { Mixer } from '../../mixer/mixer.js';
import type { UpdateReport } from '../../mixer/report.js';

/**
 * How rows reach the mixer. 'together': all of a measurement at once, in one pass over memory, which is fastest and
 * has standard errors (`significance`); holds all of them. 'streamed': one after the other, in the memory of one.
 */
export type RowMode = 'together' | 'streamed';

/** More than this of rows, in bytes, is streamed if nothing else was asked for. */
const TOGETHER_AT_MOST = 256 * 2 ** 20;

/** Writes the elements of every tensor into its part of a row. */
export type Write = (into: readonly Float32Array[]) => void | Promise<void>;

/** d elements end to end, and a view of each tensor's. */
interface Row {
  readonly whole: Float32Array;
  readonly parts: readonly Float32Array[];
}

export class RowCollector {
  readonly #mixer: Mixer;
  readonly #lengths: readonly number[];
  readonly #together: boolean;
  /** Reused by every measurement. */
  readonly #memory: Row[] = [];
  #metric: Row | null = null;
  #used = 0;
  #measured = false;
  #rows: Float32Array[][] = [];
  #samples: number[][] = [];
  #losses: number[][] = [];

  /**
   * @param lengths elements of every tensor of a gradient
   * @param most rows that one measurement may have
   */
  constructor(mixer: Mixer, lengths: readonly number[], most: number, mode: RowMode | undefined) {
    this.#mixer = mixer;
    this.#lengths = lengths;
    const d = lengths.reduce((sum, length) => sum + length, 0);
    const bytes = 4 * d * most;
    this.#together = mode === undefined ? bytes <= TOGETHER_AT_MOST : mode === 'together';
  }

  /** @param metric writes the diagonal of the metric to measure in; null for the plain one */
  async begin(metric: Write | null): Promise<void> {
    const { length: tasks } = this.#mixer.tasks;
    [this.#rows, this.#samples, this.#losses] = [lists(tasks), lists(tasks), lists(tasks)];
    this.#used = 0;
    this.#measured = metric !== null;
    if (!metric) return;
    this.#metric ??= this.#allocate();
    await metric(this.#metric.parts);
  }

  /**
   * Takes the gradient of one micro-batch.
   *
   * @param loss mean over its samples
   */
  async add(task: number, samples: number, loss: number, write: Write): Promise<void> {
    const { whole, parts } = this.#memoryOfRow();
    await write(parts);
    if (!this.#isActive(task)) return;
    if (this.#together) {
      this.#rows[task].push(whole);
      this.#samples[task].push(samples);
      this.#losses[task].push(loss);
    } else await this.#observe(task, whole, samples, loss);
  }

  /** Ends the measurement and moves the weights. */
  async end(): Promise<UpdateReport> {
    // A source that comes to an end while samples are drawn may retire its task.
    for (const task of this.#rows.keys())
      if (!this.#isActive(task))
        for (const list of [this.#rows, this.#samples, this.#losses]) list[task] = [];
    if (this.#together && this.#rows.some((task) => task.length >= 2))
      return this.#mixer.measure(this.#rows, {
        samples: this.#samples,
        losses: this.#losses,
        ...this.#preconditioner(),
      });
    try {
      // Without two rows of any task nothing can be measured, which `update` reports and `measure` refuses.
      for (const [task, rows] of this.#rows.entries())
        for (const [i, row] of rows.entries())
          await this.#observe(task, row, this.#samples[task][i], this.#losses[task][i]);
      return await this.#mixer.update();
    } catch (error) {
      await this.#mixer.discard();
      throw error;
    }
  }

  /** Half a measurement must not stand in the way of the next one. */
  async abandon(): Promise<void> {
    if (!this.#together) await this.#mixer.discard();
  }

  #isActive(task: number): boolean {
    return this.#mixer.activeTasks.includes(this.#mixer.tasks[task]);
  }

  async #observe(task: number, row: Float32Array, samples: number, loss: number): Promise<void> {
    await this.#mixer.observe(this.#mixer.tasks[task], row, { samples, loss, ...this.#preconditioner() });
  }

  #preconditioner(): { preconditioner?: Float32Array } {
    return this.#measured && this.#metric ? { preconditioner: this.#metric.whole } : {};
  }

  #memoryOfRow(): Row {
    // A streamed row is the collector's again as soon as it has been observed.
    const index = this.#together ? this.#used++ : 0;
    this.#memory[index] ??= this.#allocate();
    return this.#memory[index];
  }

  #allocate(): Row {
    const length = this.#lengths.reduce((sum, each) => sum + each, 0);
    const whole = GradientBuffer.allocate(length, 'float32').array;
    let at = 0;
    const parts = this.#lengths.map((each) => {
      at += each;
      return whole.subarray(at - each, at);
    });
    return { whole, parts };
  }
}

function lists(length: number): never[][] {
  return Array.from({ length }, () => []);
}

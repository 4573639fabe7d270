/** What mixing costs, by the clock, apart from the passes that train the model. */

/** Where the time of a step went, in seconds. */
export interface StepCost {
  /** `mixer.next()`, and a copy of the weights that it draws by. */
  readonly next: number;
  /** Drawing samples, by the caller's `draw`. */
  readonly draw: number;
  /** Reading gradients and the metric out of the stack, and `mixer.observe`. */
  readonly observe: number;
  /** `mixer.update`, or `mixer.measure`, to the settled promise. */
  readonly update: number;
  /** Mixing itself: the sum of the four. */
  readonly mixing: number;
  /** The rest, forward and backward passes and the optimiser: a measuring step has more passes, each over fewer samples. */
  readonly passes: number;
}

type Part = 'draw' | 'observe' | 'update';

/** Started when it is made. */
export class Stopwatch {
  readonly #started = performance.now();
  readonly #spent = { next: 0, draw: 0, observe: 0, update: 0 };

  /** Runs `work`, and books its time until it settles. */
  async time<T>(part: Part, work: () => T | Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.#spent[part] += (performance.now() - started) / 1000;
    }
  }

  timeNext<T>(work: () => T): T {
    const started = performance.now();
    const result = work();
    this.#spent.next += (performance.now() - started) / 1000;
    return result;
  }

  cost(): StepCost {
    const { next, draw, observe, update } = this.#spent;
    const mixing = next + draw + observe + update;
    const passes = (performance.now() - this.#started) / 1000 - mixing;
    return { next, draw, observe, update, mixing, passes };
  }
}

/**
 * When to measure. A moment comes every `updateInterval` steps and lasts until an update serves it, or until the
 * second batch after it: so one may measure before drawing a batch, or along with it.
 */
export class Schedule {
  readonly #interval: number;
  #step: number;
  /** Steps at which moments came that are neither served nor passed over, oldest first. */
  #pending: number[];
  #passedOver: number;

  constructor(interval: number, state: ScheduleState = { step: 0, pending: [0], passedOver: 0 }) {
    this.#interval = interval;
    this.#step = state.step;
    this.#pending = [...state.pending];
    this.#passedOver = state.passedOver;
  }

  /** Batches drawn so far. */
  get step(): number {
    return this.#step;
  }

  get due(): boolean {
    return this.#pending.length > 0;
  }

  /** Moments that came and went since the last report. */
  get passedOver(): number {
    return this.#passedOver;
  }

  /** Whether parameters have been trained on so much that what was begun at step `begun` is out of date. */
  isPast(begun: number): boolean {
    return this.#step - begun >= 2;
  }

  /** A batch was drawn. */
  advance(): void {
    this.#step++;
    const passed = this.#pending.filter((moment) => this.isPast(moment)).length;
    this.#pending.splice(0, passed);
    this.#passedOver += passed;
    if (this.#step % this.#interval === 0) this.#pending.push(this.#step);
  }

  /** Takes the oldest moment to serve it. */
  take(): number | undefined {
    return this.#pending.shift();
  }

  /** The moment could not be served after all. */
  giveBack(moment: number): void {
    if (this.isPast(moment)) this.#passedOver++;
    else this.#pending = [moment, ...this.#pending].sort((a, b) => a - b);
  }

  /** A report has told of what was passed over. */
  reported(): void {
    this.#passedOver = 0;
  }

  /** During a measurement, the state is one in which that measurement is due anew. */
  state(measuring: boolean): ScheduleState {
    return {
      step: this.#step,
      pending: measuring ? [this.#step] : [...this.#pending],
      passedOver: this.#passedOver,
    };
  }
}

/** Plain JSON. */
export interface ScheduleState {
  /** Batches drawn so far. */
  step: number;
  /** Steps at which `due` became true and that no update has served yet. */
  pending: number[];
  /** Times passed over since the last report. */
  passedOver: number;
}

/**
 * A small training run that is logged: K quadratic losses with noisy gradients, in which measurements are missed, tasks
 * retire and processes resume where a test says so.
 */
import { type Gradient, Mixer, type MixerOptions, RunLog, rules, type WeightRule } from '../../lib/index.js';
import { counterRandom } from '../../lib/rules/baselines/random.js';

export interface LoggedTraining {
  path: string;
  run?: string;
  append?: boolean;
  tasks?: readonly string[];
  options?: Partial<MixerOptions>;
  steps?: number;
  /** 'observe': task by task, without standard errors; 'measure' (default): all rows at once. */
  by?: 'measure' | 'observe';
  /** η given with every update. */
  learningRate?: (step: number) => number;
  /** What becomes of a task's measurement at a step. */
  fate?: (task: string, step: number) => 'none' | 'one row' | 'broken gradient' | 'broken loss' | undefined;
  /** Task to retire before the batch of a step. */
  retire?: Readonly<Record<number, string>>;
  /** Steps before which the process is replaced by one that goes on from the state that it saved. */
  restart?: readonly number[];
  seed?: number;
  /** Parameters stay as they are, so that what is measured does not depend on the weights. */
  frozen?: boolean;
}

const LENGTH = 12;

/** @returns the mixer as it ended, and its weights after every update */
export async function trainLogged(training: LoggedTraining): Promise<{ mixer: Mixer; weights: number[][] }> {
  const { path, run = 'run', tasks = ['a', 'b', 'c'], steps = 60, by = 'measure', seed = 1 } = training;
  const rule = training.options?.rule ?? 'pike';
  let mixer = new Mixer({
    tasks,
    batchSize: 30,
    updateInterval: 5,
    backend: 'reference',
    ...training.options,
  });
  let log = new RunLog(path, mixer, { run, about: { seed }, append: training.append ?? false });
  const problem = new Quadratics(tasks, seed);
  const weights: number[][] = [];
  for (let step = 0; step < steps; step++) {
    if (step > 0 && training.restart?.includes(step)) {
      const state = JSON.parse(JSON.stringify(mixer.state()));
      mixer = Mixer.restore(state, { rule });
      log = new RunLog(path, mixer, { run, append: true });
    }
    const retired = training.retire?.[step];
    if (retired !== undefined) mixer.retire(retired);
    problem.begin(step);
    if (mixer.due) weights.push(Array.from((await update(mixer, problem, training, by)).weights));
    const drawnBy = mixer.weights;
    const counts = mixer.next();
    if (!training.frozen) problem.step(counts);
    log.step(counts, drawnBy, { loss: problem.mean() });
    if (step % 20 === 19) log.evaluation(tasks.map((_, k) => problem.loss(k)));
  }
  log.end({ note: 'done' });
  return { mixer, weights };
}

async function update(
  mixer: Mixer,
  problem: Quadratics,
  training: LoggedTraining,
  by: 'measure' | 'observe',
) {
  const { step, microBatches } = mixer;
  const learningRate = training.learningRate?.(step);
  const rate = learningRate === undefined ? {} : { learningRate };
  if (!mixer.needs.gradients) {
    const lossOf = (task: string) =>
      training.fate?.(task, step) === 'broken loss' ? Number.NaN : problem.loss(mixer.tasks.indexOf(task));
    const measured = mixer.activeTasks.filter((task) => training.fate?.(task, step) !== 'none');
    // Without a single loss there can be no update; with one that is not finite there is nothing to act on.
    const given =
      measured.length > 0
        ? measured.map((task) => [task, lossOf(task)])
        : [[mixer.activeTasks[0], Number.NaN]];
    const losses = Object.fromEntries(given);
    return mixer.update(mixer.needs.losses ? { losses, ...rate } : rate);
  }
  const rows: Gradient[][] = mixer.tasks.map((task, k) => {
    const fate = training.fate?.(task, step);
    if (!mixer.activeTasks.includes(task) || fate === 'none') return [];
    const own = Array.from({ length: fate === 'one row' ? 1 : microBatches }, () => problem.gradient(k));
    if (fate === 'broken gradient') own[0][0] = Number.NaN;
    return own;
  });
  const samples = rows.map((own) => own.map((_, i) => 3 + i));
  const losses = rows.map((own, k) =>
    own.map(() => (training.fate?.(mixer.tasks[k], step) === 'broken loss' ? Infinity : problem.loss(k))),
  );
  if (by === 'measure' && rows.some((own) => own.length > 1))
    return mixer.measure(rows, { samples, losses, ...rate });
  for (const [k, own] of rows.entries())
    for (const [i, gradient] of own.entries())
      await mixer.observe(mixer.tasks[k], gradient, { samples: samples[k][i], loss: losses[k][i] });
  return mixer.update(rate);
}

/** Task k: c_k/2 ‖x − t_k‖² above a loss that nothing takes away. */
class Quadratics {
  readonly #tasks: readonly string[];
  readonly #seed: number;
  #draws = 0;
  readonly #x = new Float64Array(LENGTH);
  readonly #targets: Float64Array[];

  constructor(tasks: readonly string[], seed: number) {
    this.#tasks = tasks;
    this.#seed = seed;
    this.#targets = tasks.map(() => Float64Array.from({ length: LENGTH }, () => this.#normal()));
  }

  /** What is drawn from now on depends on the step and on nothing before it. */
  begin(step: number): void {
    this.#draws = 1e6 * (step + 1);
  }

  loss(k: number): number {
    const squares = this.#x.reduce((sum, x, i) => sum + (x - this.#targets[k][i]) ** 2, 0);
    return 0.2 * (k + 1) + (0.5 * squares) / (k + 1);
  }

  mean(): number {
    return this.#tasks.reduce((sum, _, k) => sum + this.loss(k) / this.#tasks.length, 0);
  }

  gradient(k: number): Float32Array {
    return Float32Array.from(
      this.#x,
      (x, i) => (x - this.#targets[k][i]) / (k + 1) + 0.4 * (k + 1) * this.#normal(),
    );
  }

  step(counts: ArrayLike<number>): void {
    const total = Array.from(counts).reduce((a, b) => a + b, 0);
    const means = this.#tasks.map((_, k) => this.gradient(k));
    for (let i = 0; i < LENGTH; i++)
      this.#x[i] -= 0.02 * means.reduce((sum, mean, k) => sum + (counts[k] / total) * mean[i], 0);
  }

  #normal(): number {
    const u = () => Math.max(counterRandom(this.#seed, this.#draws++), 2 ** -53);
    return Math.sqrt(-2 * Math.log(u())) * Math.cos(2 * Math.PI * u());
  }
}

/** Options that every built-in rule can run with. */
export function optionsOf(rule: string | WeightRule): Partial<MixerOptions> {
  const name = typeof rule === 'string' ? rule : rule.name;
  const bound = ['mirror', 'conceptual', 'gramian'].includes(name);
  return { rule, ...(bound ? { learningRate: 0.02, smoothness: 2 } : {}) };
}

export const ruleNames = Object.keys(rules);

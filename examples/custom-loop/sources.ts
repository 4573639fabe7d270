/** Generated data: one source that takes long to learn, one that is learned at once, and one that repeats itself. */
export interface Sample {
  readonly x: Float32Array;
  readonly label: number;
}

export const inputs = 64;
export const classes = 8;
export const tasks = ['hard', 'easy', 'repetitive'] as const;

export interface Data {
  /** By task. */
  readonly train: Record<string, Sample[]>;
  readonly heldOut: Record<string, Sample[]>;
}

/** Mulberry32: uniform on [0, 1), the same numbers for the same seed everywhere. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function drawData(seed: number, trainSize = 6000, heldOutSize = 600): Data {
  const random = randomNumbers(seed);
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const directions = Array.from({ length: classes }, () => Float64Array.from({ length: inputs }, gaussian));
  const label: Record<string, (x: Float32Array) => number> = {
    // The direction that x lies along best.
    hard: (x) => largest((c) => directions[c]!.reduce((sum, value, i) => sum + value * x[i]!, 0)),
    // A clear sign.
    easy: (x) => Number(x[3]! > 0),
    // Twenty samples over and over, with any labels: they can be learned by heart.
    repetitive: () => Math.floor(random() * classes),
  };
  const draw = (k: number, task: string): Sample => {
    const x = Float32Array.from({ length: inputs }, gaussian);
    // The first inputs say which source a sample is from, so that no two contradict each other.
    for (let i = 0; i < tasks.length; i++) x[i] = i === k ? 3 : 0;
    if (task === 'easy') x[3] = 3 * Math.sign(x[3]!);
    return { x, label: label[task]!(x) };
  };
  const few = Array.from({ length: 20 }, () => draw(2, 'repetitive'));
  const list = (size: number, k: number, task: string) =>
    Array.from({ length: size }, (_, i) => (task === 'repetitive' ? few[i % few.length]! : draw(k, task)));
  const byTask = (size: number) => Object.fromEntries(tasks.map((task, k) => [task, list(size, k, task)]));
  return { train: byTask(trainSize), heldOut: byTask(heldOutSize) };
}

/** The class of the largest score. */
function largest(score: (c: number) => number): number {
  const scores = Array.from({ length: classes }, (_, c) => score(c));
  return scores.indexOf(Math.max(...scores));
}

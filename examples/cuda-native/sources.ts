/**
 * Three made-up sources for one classifier. Each source shows in features of its own what class a sample is of, and
 * they differ in how easily that can be learned.
 */

export const width = 24;
export const classes = 6;
/** Features in which a source shows the class; in all others it has noise only. */
const own = width / 3;

export interface Source {
  readonly name: string;
  /** How far apart the classes lie, in standard deviations of the features. */
  readonly separation: number;
  /** Share of the labels that are drawn at random. */
  readonly wrongLabels: number;
}

export const sources: readonly Source[] = [
  { name: 'easy', separation: 2, wrongLabels: 0 },
  { name: 'hard', separation: 0.5, wrongLabels: 0 },
  { name: 'noisy', separation: 1, wrongLabels: 0.5 },
];

export interface DataSet {
  /** `labels.length` samples of `width` features. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  /** Numbers of the samples to train on, by source. */
  readonly train: readonly Uint32Array[];
  /** Numbers of those that are kept out of training. */
  readonly heldOut: readonly Uint32Array[];
}

const trainSamples = 8192;
const heldOutSamples = 2048;

/** The whole data set, the same for the same seed. */
export function drawData(seed: number): DataSet {
  const random = randomNumbers(seed);
  const perSource = trainSamples + heldOutSamples;
  const features = new Float32Array(sources.length * perSource * width);
  const labels = new Int32Array(sources.length * perSource);
  sources.forEach((source, k) => {
    const centers = Float64Array.from({ length: classes * own }, () => gaussian(random));
    for (let i = k * perSource; i < (k + 1) * perSource; i++) {
      const label = Math.floor(classes * random());
      for (let f = 0; f < width; f++) features[i * width + f] = gaussian(random) / 2;
      for (let f = 0; f < own; f++)
        features[i * width + k * own + f] += source.separation * centers[label * own + f]!;
      labels[i] = random() < source.wrongLabels ? Math.floor(classes * random()) : label;
    }
  });
  const numbers = (k: number, from: number, count: number) =>
    Uint32Array.from({ length: count }, (_, i) => k * perSource + from + i);
  return {
    features,
    labels,
    train: sources.map((_, k) => numbers(k, 0, trainSamples)),
    heldOut: sources.map((_, k) => numbers(k, trainSamples, heldOutSamples)),
  };
}

/** `count` of the given samples, any of them perhaps twice. */
export function pick(samples: Uint32Array, count: number, random: () => number): Uint32Array {
  return Uint32Array.from({ length: count }, () => samples[Math.floor(samples.length * random())]!);
}

/** Uniform on [0, 1): mulberry32, which is enough for an example. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

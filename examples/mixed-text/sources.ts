import type { Random } from './random.js';
import { UsageError } from './usage-error.js';

/** Samples for the model: `count` contexts laid end to end, and the byte that follows each. */
export interface Windows {
  count: number;
  contexts: Uint8Array;
  targets: Uint8Array;
}

/** The share of every document that is kept for evaluation, and the least number of bytes it must give. */
const heldOutShare = 0.1;
const leastHeldOut = 64;

/** The least text that can be split and still trained on. */
export const leastBytes = 512;

/** Evaluation reads at most this many windows of a source: the same ones in every run. */
const heldOutWindows = 4096;

/**
 * One data source: documents split, each at one point, into a part to train on and a part held out. The two
 * parts share no byte, so no window of one overlaps a window of the other; holding out the end of *every*
 * document keeps both parts alike.
 */
export class Source {
  readonly heldOut: Windows;
  private readonly train: Uint8Array;

  constructor(
    readonly name: string,
    documents: readonly Uint8Array[],
    readonly context: number,
  ) {
    const bytes = documents.reduce((sum, document) => sum + document.length, 0);
    if (bytes === 0) throw new UsageError(`task ${name}: there is no text in it`);
    if (bytes < leastBytes)
      throw new UsageError(`task ${name}: ${bytes} bytes are too few, at least ${leastBytes} are needed`);
    const cuts = documents.map((document) => Math.floor(document.length * (1 - heldOutShare)));
    const held = concatenate(documents.map((document, i) => document.subarray(cuts[i]!)));
    if (held.length >= leastHeldOut) {
      this.train = concatenate(documents.map((document, i) => document.subarray(0, cuts[i]!)));
      this.heldOut = evenlySpaced(held, context);
    } else {
      const whole = concatenate(documents);
      this.train = whole.subarray(0, whole.length - leastHeldOut);
      this.heldOut = evenlySpaced(whole.subarray(whole.length - leastHeldOut), context);
    }
  }

  get trainBytes(): number {
    return this.train.length;
  }

  /** Writes `count` windows at random places of the training part into `batch`, from its sample `from` on. */
  sample(random: Random, count: number, batch: Windows, from: number): void {
    const places = this.train.length - this.context;
    cut(this.train, this.context, count, () => random.integer(places), batch, from);
  }
}

/** `counts[k]` samples of source k, each from its own stream, as one batch. */
export function drawWindows(
  sources: readonly Source[],
  random: readonly Random[],
  counts: ArrayLike<number>,
): Windows {
  let count = 0;
  for (let k = 0; k < counts.length; k++) count += counts[k]!;
  const batch = room(count, sources[0]!.context);
  let at = 0;
  for (let k = 0; k < sources.length; k++) {
    sources[k]!.sample(random[k]!, counts[k]!, batch, at);
    at += counts[k]!;
  }
  return batch;
}

function evenlySpaced(text: Uint8Array, context: number): Windows {
  const places = text.length - context;
  const count = Math.min(places, heldOutWindows);
  const windows = room(count, context);
  cut(text, context, count, (i) => Math.floor((i * places) / count), windows, 0);
  return windows;
}

function room(count: number, context: number): Windows {
  return { count, contexts: new Uint8Array(count * context), targets: new Uint8Array(count) };
}

function cut(
  text: Uint8Array,
  context: number,
  count: number,
  place: (i: number) => number,
  { contexts, targets }: Windows,
  from: number,
): void {
  // Text at random places is rarely in a cache. Asked for in a row, without other work in between, the places are fetched
  // side by side; and bytes are copied one by one, because a view for each window would take longer than its bytes.
  const places = new Int32Array(count);
  for (let i = 0; i < count; i++) places[i] = place(i);
  for (let i = 0; i < count; i++) targets[from + i] = text[places[i]! + context]!;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    const to = (from + i) * context;
    for (let j = 0; j < context; j++) contexts[to + j] = text[at + j]!;
  }
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

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
    private readonly context: number,
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

  /** `count` windows at random places of the training part. */
  sample(random: Random, count: number): Windows {
    const places = this.train.length - this.context;
    return cut(this.train, this.context, count, () => random.integer(places));
  }
}

/** `counts[k]` samples of source k, each from its own stream, as one batch. */
export function drawWindows(
  sources: readonly Source[],
  random: readonly Random[],
  counts: ArrayLike<number>,
): Windows {
  const parts: Windows[] = [];
  for (const [k, source] of sources.entries())
    if (counts[k]! > 0) parts.push(source.sample(random[k]!, counts[k]!));
  return parts.length === 1 ? parts[0]! : joinWindows(parts);
}

/** Joins samples of several tasks into one batch. */
export function joinWindows(parts: readonly Windows[]): Windows {
  return {
    count: parts.reduce((sum, part) => sum + part.count, 0),
    contexts: concatenate(parts.map((part) => part.contexts)),
    targets: concatenate(parts.map((part) => part.targets)),
  };
}

function evenlySpaced(text: Uint8Array, context: number): Windows {
  const places = text.length - context;
  const count = Math.min(places, heldOutWindows);
  return cut(text, context, count, (i) => Math.floor((i * places) / count));
}

function cut(text: Uint8Array, context: number, count: number, place: (i: number) => number): Windows {
  const contexts = new Uint8Array(count * context);
  const targets = new Uint8Array(count);
  // Text at random places is rarely in a cache. Asked for in a row, without other work in between, the places are fetched
  // side by side; and bytes are copied one by one, because a view for each window would take longer than its bytes.
  const places = new Int32Array(count);
  for (let i = 0; i < count; i++) places[i] = place(i);
  for (let i = 0; i < count; i++) targets[i] = text[places[i]! + context]!;
  for (let i = 0; i < count; i++) {
    const at = places[i]!;
    for (let j = 0; j < context; j++) contexts[i * context + j] = text[at + j]!;
  }
  return { count, contexts, targets };
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

/**
 * A small counter-based generator: draw i of a stream is a hash of (key, i), so a stream depends on its name
 * alone. Every run with the same seed therefore sees the same samples of a task, whatever the mixture does to
 * the order in which the tasks are asked. The hash is two rounds of MurmurHash3's 32-bit finaliser with a key
 * before each; it uses integers only and gives the same numbers on every platform.
 */
export class Random {
  private counter = 0;

  private constructor(
    private readonly outerKey: number,
    private readonly innerKey: number,
  ) {}

  /** The stream that belongs to this list of labels, e.g. `Random.named(seed, 'samples', task)`. */
  static named(...labels: readonly (string | number)[]): Random {
    const text = labels.join('\u0000');
    return new Random(hashText(text, 0x811c9dc5), hashText(text, 0x2f0b4a87));
  }

  /** The next 32 random bits. */
  bits(): number {
    const inner = mix((this.counter + this.innerKey) | 0);
    this.counter = (this.counter + 1) | 0;
    return mix(inner ^ this.outerKey);
  }

  /** Uniform on [0, 1). */
  uniform(): number {
    return this.bits() / 4294967296;
  }

  /** Uniform on 0 … size − 1. */
  integer(size: number): number {
    return Math.floor(this.uniform() * size);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(items.length)]!;
  }
}

/** MurmurHash3's finaliser: a bijection of 32 bits in which every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** FNV-1a over UTF-16 code units, mixed once more because FNV leaves short texts close together. */
function hashText(text: string, start: number): number {
  let h = start;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

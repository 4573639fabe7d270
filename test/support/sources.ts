/** Sources whose every move is known, and mixtures of them. */
import type { Json } from '../../lib/index.js';
import {
  type MixedBatch,
  MixedSource,
  type MixedSourceOptions,
  Mixer,
  type MixerOptions,
} from '../../lib/index.js';
import type { Cursor, SampleSource } from '../../lib/sampling/source.js';

export interface FakeOptions {
  /** Samples in one pass; null tells nobody (default 1000). */
  size?: number;
  /** Whether the source says how large it is (default true). */
  tells?: boolean;
  /** The pass ends here, whatever `size` says. */
  endsAfter?: number;
  /** The sample, counted from the beginning of a pass, that it throws at; only the first time if `once`. */
  throwsAt?: number;
  throwsOnce?: boolean;
  /** The sample that never comes. */
  stallsAt?: number;
  /** Milliseconds that every read takes (default: none, it resolves in the same tick). */
  delay?: () => number;
  /** What every read waits for. */
  gate?: () => Promise<unknown> | undefined;
}

/** Sample i of pass e is the text `e:i`; its number is i, or `shuffled(e, i)`. */
export class FakeSource implements SampleSource<string> {
  readonly size?: number;
  /** Cursors that are open. */
  open_ = 0;
  opened = 0;
  read = 0;
  /** Sizes of the reads. */
  readonly reads: number[] = [];
  readonly #options: FakeOptions;
  readonly #length: number;
  #thrown = false;

  constructor(options: FakeOptions = {}) {
    const { size = 1000, tells = true, endsAfter = size } = options;
    if (tells) this.size = size;
    this.#options = options;
    this.#length = endsAfter;
  }

  open(epoch: number, _seed: number, position?: Json): Cursor<string> {
    this.open_++;
    this.opened++;
    let at = position === undefined ? 0 : (position as number);
    let closed = false;
    const { throwsAt, throwsOnce, stallsAt, delay, gate } = this.#options;
    return {
      read: async (count, signal) => {
        if (closed) throw new Error('read after close');
        this.reads.push(count);
        const end = Math.min(at + count, this.#length);
        if (throwsAt !== undefined && throwsAt < end && throwsAt >= at && !(throwsOnce && this.#thrown)) {
          this.#thrown = true;
          throw new Error(`no sample ${throwsAt}`);
        }
        if (stallsAt !== undefined && stallsAt < end)
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
        await gate?.();
        const wait = delay?.() ?? 0;
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        const indices = Array.from({ length: end - at }, (_, i) => at + i);
        at = end;
        this.read += indices.length;
        return { samples: indices.map((i) => `${epoch}:${i}`), indices };
      },
      position: () => at,
      close: async () => {
        if (!closed) this.open_--;
        closed = true;
      },
    };
  }
}

export const names = (K: number) => Array.from({ length: K }, (_, k) => `task${k}`);

export const mixerFor = (tasks: readonly string[], options: Partial<MixerOptions> = {}) =>
  new Mixer({ tasks, batchSize: 8, backend: 'reference', ...options });

/** A mixture of fakes of these names. */
export function mixtureOf(
  fakes: Record<string, FakeOptions>,
  options: Partial<MixedSourceOptions<string>> = {},
  mixerOptions: Partial<MixerOptions> = {},
) {
  const sources = Object.fromEntries(
    Object.entries(fakes).map(([name, fake]) => [name, new FakeSource(fake)] as const),
  );
  const mixer = mixerFor(Object.keys(fakes), mixerOptions);
  const mixed = new MixedSource<string>({ mixer, sources, ...options });
  return { sources, mixer, mixed };
}

/** Cursors that are open. */
export const openIn = (sources: Record<string, FakeSource>) =>
  Object.values(sources).reduce((sum, { open_ }) => sum + open_, 0);
/** Lets everything go on that can. */
export const ticks = async (n = 20) => {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve));
};
export const aOf = ({ value }: IteratorResult<MixedBatch<string>, undefined>) => value!.tasks.a.samples;

/** Batches until one fails, and the failure. */
export async function untilItFails(mixed: MixedSource<string>) {
  const batches: MixedBatch<string>[] = [];
  try {
    for await (const batch of mixed) batches.push(batch);
  } catch (error) {
    return { batches, error };
  }
  return { batches, error: null };
}

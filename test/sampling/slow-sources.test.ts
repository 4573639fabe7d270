/** Slow is not stalled: as long as something comes, it is waited for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Cursor,
  iterableSource,
  jsonLines,
  MixedSource,
  type SampleSource,
  type SourceInput,
  shuffled,
} from '../../lib/index.js';
import { expectError } from '../support/expect.js';
import { mixerFor } from '../support/sources.js';

const folder = mkdtempSync(join(tmpdir(), 'pike-mixer-slow-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const drip = (ms: number) =>
  async function* () {
    for (let i = 0; ; i++) {
      await sleep(ms);
      yield i;
    }
  };
const mixtureOf = (a: SourceInput<number>, batchSize: number, timeout: number) =>
  new MixedSource<number>({
    mixer: mixerFor(['a', 'b'], { batchSize }),
    sources: { a, b: [1] },
    timeout,
    prefetch: 0,
  });

describe('a source that is slow', () => {
  it.each<[string, SourceInput<number>]>([
    ['an iterable', drip(20)],
    ['one that is shuffled', shuffled(iterableSource(drip(20)), 8)],
  ])('%s: a read may take longer than the timeout', async (_, source) => {
    const mixed = mixtureOf(source, 32, 100);
    expect((await mixed.next()).value!.tasks.a.samples).toHaveLength(16);
    await mixed.return();
  });

  it('may take longer than the timeout to get back to where it stood', async () => {
    const first = mixtureOf(
      iterableSource(function* () {
        for (let i = 0; ; i++) yield i;
      }),
      16,
      150,
    );
    for (let step = 0; step < 60; step++) await first.next();
    const state = first.state();
    await first.return();
    const resumed = MixedSource.restore<number>(state, {
      sources: { a: drip(1), b: [1] },
      timeout: 150,
      prefetch: 0,
    });
    expect((await resumed.next()).value!.tasks.a.samples[0]).toBe(480);
    await resumed.return();
  });

  it('is a stalled one when nothing comes any more, or when its cursor does not tell', async () => {
    const stalls = async function* () {
      yield* [0, 1, 2];
      await new Promise(() => {});
    };
    await expectError('ERR_TIMEOUT', /'a'/, () => mixtureOf(stalls, 8, 30).next());
    const silent: SampleSource<number> = {
      open: (epoch, seed, position) => {
        const cursor = iterableSource(drip(20)).open(epoch, seed, position);
        return {
          read: (count, signal) => cursor.read(count, signal),
          position: () => cursor.position(),
          close: () => cursor.close(),
        };
      },
    };
    await expectError('ERR_TIMEOUT', /'a'/, () => mixtureOf(silent, 32, 100).next());
  });

  it('a cursor whose arrived() throws is named, and one that gives no number cannot be waited for for ever', async () => {
    const stuck = (arrived: () => number): SampleSource<number> => ({
      open: () => ({
        read: () => new Promise(() => {}),
        position: () => 0,
        close: async () => {},
        arrived,
      }),
    });
    const broken = stuck(() => {
      throw new Error('uncounted');
    });
    await expectError('ERR_SOURCE', /^Source 'a' failed: uncounted/, () => mixtureOf(broken, 8, 30).next());
    const none = stuck(() => Number.NaN);
    await expectError('ERR_TIMEOUT', /'a'/, () => mixtureOf(none, 8, 30).next());
  });
});

it('what has arrived of a file is its bytes, also while they are read', async () => {
  const path = join(folder, 'numbers.jsonl');
  writeFileSync(path, '1\n\n\n22\n');
  const cursor: Cursor<unknown> = jsonLines(path).open(0, 1);
  expect(cursor.arrived!()).toBe(0);
  await cursor.read(2);
  expect(cursor.arrived!()).toBe(7);
  await cursor.close();
  const window = shuffled(jsonLines(path), 2).open(0, 1);
  await window.read(2);
  expect(window.arrived!()).toBe(7);
  await window.close();
});

/** Rules that need losses only, or nothing: an update without a gradient. */
import { describe, expect, it } from 'vitest';
import { Mixer, type WeightRule } from '../../lib/index.js';
import { expectError, largestDifference } from '../support/expect.js';
import { mixerOf, row, samples } from '../support/small.js';

const good = [row(1, 2), row(2, 1)];

/** Weights in proportion to the losses. */
const byLoss: WeightRule = {
  name: 'by-loss',
  needs: { gradients: false, losses: true },
  init: (K) => ({ logWeights: new Array<number>(K).fill(-Math.log(K)) }),
  update(state, _, { losses }) {
    const known = losses!.every((loss) => Number.isFinite(loss));
    const sum = losses!.reduce((a, b) => a + b, 0);
    return known ? { state: { logWeights: Array.from(losses!, (loss) => Math.log(loss / sum)) } } : { state };
  },
};

const listen = (mixer: Mixer) => {
  const heard: string[] = [];
  mixer.on('warning', ({ code }) => heard.push(code));
  mixer.on('skip', ({ task, reason }) => heard.push(`${task}: ${reason}`));
  return heard;
};

describe('update with losses', () => {
  it('serves a rule that needs no gradients, by number or by task', async () => {
    for (const losses of [[1, 3], { b: 3, a: 1 }, Float64Array.of(1, 3)] as const) {
      const mixer = mixerOf({ rule: byLoss });
      const heard = listen(mixer);
      const report = await mixer.update({ losses });
      expect(largestDifference(mixer.weights, [0.25, 0.75])).toBeLessThan(1e-15);
      expect(Array.from(report.losses!)).toEqual([1, 3]);
      expect([report.missed, heard, mixer.due]).toEqual([[], [], false]);
      expect(report.statistics.normSquared.every(Number.isNaN)).toBe(true);
      expect(mixer.needs).toEqual({ gradients: false, losses: true, inner: false });
      const again = Mixer.restore(JSON.parse(JSON.stringify(mixer.state())), { rule: byLoss });
      expect(again.weights).toEqual(mixer.weights);
    }
  });

  it('tells of losses that are missing or not finite; with none that is, nothing changes', async () => {
    const mixer = mixerOf({ rule: byLoss });
    const heard = listen(mixer);
    const partly = await mixer.update({ losses: { a: 2 } });
    expect(partly.missed).toEqual([{ task: 'b', reason: 'not measured' }]);
    await mixer.update({ losses: [Infinity, 2] });
    const before = mixer.state();
    const none = await mixer.update({ losses: [Number.NaN, Infinity] });
    expect(none.weights).toEqual(none.previous);
    expect(mixer.state()).toEqual(before);
    expect(heard).toEqual([
      'b: not measured',
      'a: non-finite loss',
      'a: non-finite loss',
      'b: non-finite loss',
      'WARN_NOTHING_MEASURED',
    ]);
  });

  it('completes a measurement of gradients, for balanced', async () => {
    const given = async (inUpdate: boolean) => {
      const mixer = mixerOf({ rule: 'balanced', tau: 2 });
      for (const [k, task] of ['a', 'b'].entries())
        for (const gradient of good)
          await mixer.observe(task, gradient, { samples: 1, ...(inUpdate ? {} : { loss: k + 1 }) });
      await mixer.update(inUpdate ? { losses: [1, 2] } : {});
      return mixer.state();
    };
    expect(await given(true)).toEqual(await given(false));
  });

  it('is no measurement for a rule that needs gradients', async () => {
    const mixer = mixerOf({ rule: 'pike' });
    const heard = listen(mixer);
    const report = await mixer.update({ losses: [1, 2] });
    expect(report.weights).toEqual(report.previous);
    expect(heard).toEqual(['a: not measured', 'b: not measured', 'WARN_NOTHING_MEASURED']);
    expect(mixer.needs).toEqual({ gradients: true, losses: false, inner: false });
  });

  it.each<[string, RegExp, unknown]>([
    ['a number', /losses must be 2 numbers, or an object by task/, 3],
    ['null', /losses must be 2 numbers/, null],
    ['an unknown task', /losses names "c", which is no task/, { a: 1, c: 2 }],
    ['a text', /loss of task 'b' must be a number/, [1, '2']],
    ['nothing for a task in a list', /loss of task 'b' must be a number/, [1, undefined]],
  ])('%s is refused', async (_, message, losses) => {
    const mixer = mixerOf({ rule: byLoss });
    const before = mixer.state();
    await expectError('ERR_INVALID_OPTION', message, () => mixer.update({ losses: losses as number[] }));
    expect(mixer.state()).toEqual(before);
    expect(mixer.due).toBe(true);
  });

  it('of another length, twice, or not at all is refused', async () => {
    const mixer = mixerOf({ rule: byLoss });
    await expectError('ERR_SHAPE', /2 numbers, one per task, but there are 3/, () =>
      mixer.update({ losses: [1, 2, 3] }),
    );
    await expectError('ERR_INVALID_OPTION', /needs the tasks' losses/, () => mixer.update());
    expect(mixer.due).toBe(true);
    await mixer.observe('a', row(1), { samples: 1, loss: 2 });
    await expectError('ERR_INVALID_OPTION', /to observe and to update/, () =>
      mixer.update({ losses: [1, 2] }),
    );
    // The measurement still stands: a is known from it, and b is not.
    const report = await mixer.update();
    expect(report.losses![0]).toBe(2);
  });
});

describe('a rule that needs nothing', () => {
  it('is updated by update alone, without a word', async () => {
    const mixer = mixerOf({ rule: 'round-robin' });
    const heard = listen(mixer);
    mixer.next();
    const report = await mixer.update();
    expect(Array.from(report.weights)).toEqual([0, 1]);
    expect([report.missed, heard]).toEqual([[], []]);
  });

  it('may be measured all the same: statistics are reported, misses told, and it acts', async () => {
    const mixer = mixerOf({ rule: 'round-robin', inner: true });
    expect(mixer.needs.gradients).toBe(true);
    const heard = listen(mixer);
    mixer.next();
    const first = await mixer.measure([good, good], { samples });
    expect(first.statistics.normSquared[0]).toBeCloseTo(4, 12);
    expect(first.conflict).not.toBeNull();
    mixer.next();
    const broken = [row(Number.NaN, 1), row(1, 1)];
    const second = await mixer.measure([broken, broken], { samples });
    expect(Array.from(second.weights)).toEqual([1, 0]);
    expect(heard).toEqual(['a: non-finite gradient', 'b: non-finite gradient']);
    // What was measured before is kept.
    expect(second.smoothed.normSquared[0]).toBeCloseTo(4, 12);
  });
});

describe('defaults of a rule', () => {
  it('take the place of the usual ones, and what is given comes first', () => {
    const defaults = { updateInterval: 3, minWeight: 0, maxLogStep: Infinity, priorPull: 0 };
    const rule: WeightRule = { ...byLoss, defaults };
    expect(mixerOf({ rule }).state().options).toMatchObject({ ...defaults, maxLogStep: 'Infinity' });
    expect(mixerOf({ rule, updateInterval: 5, minWeight: 0.1 }).state().options).toMatchObject({
      updateInterval: 5,
      minWeight: 0.1,
    });
    expect(mixerOf({ rule: byLoss }).state().options).toMatchObject({ updateInterval: 10, minWeight: 0.25 });
    expect(() => mixerOf({ rule: { ...rule, defaults: { minWeight: 2 } } })).toThrow(/minWeight/);
  });
});

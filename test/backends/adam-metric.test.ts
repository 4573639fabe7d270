import { afterEach, describe, expect, it, vi } from 'vitest';
import { writeAdamDiagonal } from '../../lib/backends/adam-metric.js';
import * as loading from '../../lib/backends/load-addon.js';

const { addon } = loading.loadAddon();

afterEach(() => vi.restoreAllMocks());

/** Of second moments from 1e-30 to 1, with corners among them. */
function moments(length: number): Float32Array {
  const corners = [0, -0, -1, Number.NaN, Infinity, -Infinity, 1e-45, 3.4e38];
  return Float32Array.from({ length }, (_, i) =>
    i % 5 === 2 ? corners[Math.floor(i / 5) % corners.length] : 10 ** (-30 * ((i * 0.618) % 1)),
  );
}

describe.each([
  ['native', () => {}],
  [
    'in JavaScript',
    () => {
      vi.spyOn(loading, 'loadAddon').mockReturnValue({ addon: null, path: null, reasons: [] });
    },
  ],
])("Adam's metric, %s", (_, prepare) => {
  it.each([0, 1, 3, 4, 7, 64, 1001])('of %d elements is 1/(√v̂ + ε), and 0 without a scale', (length) => {
    prepare();
    const root = 1 / Math.sqrt(1 - 0.999 ** 20);
    const second = moments(length + 1).subarray(1); // not on a boundary
    const expected = Array.from(second, (v) => (v > 0 ? 1 / (Math.sqrt(v) * root + 1e-7) : 0));
    const guarded = new Float32Array(length + 2).fill(7);
    writeAdamDiagonal(second, root, 1e-7, guarded.subarray(1, -1));
    expect([guarded[0], guarded.at(-1)]).toEqual([7, 7]);
    for (const [i, want] of expected.entries())
      expect(Math.abs(guarded[i + 1] - want), `element ${i}, v = ${second[i]}`).toBeLessThanOrEqual(
        3e-7 * want,
      );
    writeAdamDiagonal(second, root, 1e-7, second);
    expect(second).toEqual(guarded.subarray(1, -1));
  });
});

it('is refused by the addon with a status for anything but two arrays of floats of one length', () => {
  const floats = new Float32Array(4);
  const call = addon!.adamMetric as (...args: unknown[]) => unknown;
  const bad = [
    [],
    [floats, 1, 1],
    [floats, '1', 1, floats],
    [floats, 1, null, floats],
    [floats, 1, 1, new Float32Array(3)],
    [new Float64Array(4), 1, 1, floats],
    [floats, 1, 1, new Int32Array(4)],
    [[1, 2], 1, 1, floats],
  ];
  for (const args of bad) expect(call(...args)).toMatchObject({ code: 'ERR_INVALID_OPTION' });
  expect([...floats]).toEqual([0, 0, 0, 0]);
  expect(call(floats, 1, 1, floats)).toBeUndefined();
});

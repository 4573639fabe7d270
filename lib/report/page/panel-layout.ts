/** Where ticks and labels stand. */

/** Ticks of a number axis: 20k, and never 100m for a tenth. */
export function tick(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  const text =
    size >= 1e15 || size < 1e-4
      ? value.toExponential().replace('e+', 'e')
      : size >= 1e9
        ? `${round(value / 1e9)}G`
        : size >= 1e6
          ? `${round(value / 1e6)}M`
          : size >= 1e4
            ? `${round(value / 1e3)}k`
            : String(round(value));
  return text.replaceAll('-', '−');
}

function round(value: number): number {
  return Number(value.toPrecision(6));
}

/** For a logarithmic axis: round numbers, as many as stay apart. */
export function logTicks([low, high]: readonly number[], most: number): number[] {
  const decades = Math.log10(high! / low!);
  const steps =
    decades < 0.5
      ? [1, 1.5, 2, 3, 4, 5, 6, 8]
      : decades < most / 3
        ? [1, 2, 5]
        : decades < most / 2
          ? [1, 3]
          : [1];
  const stride = Math.max(1, Math.ceil(decades / most));
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low!)); power <= Math.log10(high!); power++)
    if (steps.length > 1 || power % stride === 0)
      for (const step of steps) ticks.push(Number(`${step}e${power}`));
  return ticks.filter((value) => value >= low! && value <= high!);
}

/** Moves what is sorted by `at` so that neighbours are `gap` apart, as far as there is room between `top` and `bottom`. */
export function pushApart(placed: { at: number }[], gap: number, top: number, bottom: number): void {
  const step = Math.min(gap, (bottom - top) / Math.max(1, placed.length - 1));
  let least = top;
  for (const label of placed) {
    label.at = Math.max(label.at, least);
    least = label.at + step;
  }
  let most = bottom;
  for (const label of [...placed].reverse()) {
    label.at = Math.min(label.at, most);
    most = label.at - step;
  }
}

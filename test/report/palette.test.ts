/** Colours of tasks: told apart with every common colour blindness, and visible on the ground, in light and in dark. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('../../lib/report/page/colours.css', import.meta.url), 'utf8');

type Triple = [number, number, number];

/** Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const sights: Record<string, Triple[]> = {
  'full sight': [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

function linear(hex: string): Triple {
  const parts = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255);
  return parts.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)) as Triple;
}

function seen(rgb: Triple, sight: Triple[]): Triple {
  return sight.map((row) =>
    Math.min(
      1,
      Math.max(
        0,
        row.reduce((sum, x, i) => sum + x * rgb[i], 0),
      ),
    ),
  ) as Triple;
}

/** CIE L*a*b*, D65. */
function lab([r, g, b]: Triple): Triple {
  const f = (t: number) => (t > 216 / 24389 ? Math.cbrt(t) : ((24389 / 27) * t + 16) / 116);
  const x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047);
  const y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
  const z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

function contrast(a: string, b: string): number {
  const [low, high] = [a, b]
    .map(linear)
    .map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b)
    .sort((p, q) => p - q);
  return (high + 0.05) / (low + 0.05);
}

const themes = {
  light: css.slice(css.indexOf(':root {'), css.indexOf(':root[data-theme="dark"]')),
  dark: css.slice(css.indexOf(':root[data-theme="dark"]'), css.indexOf('@media')),
};
const colour = (theme: string, name: string) => theme.match(new RegExp(`--${name}: (#[0-9a-f]{6});`))![1];

describe.each(Object.entries(themes))('%s', (_, theme) => {
  const tasks = Array.from({ length: 8 }, (_, i) => colour(theme, `task-${i + 1}`));

  it.each(Object.keys(sights))('keeps any two tasks apart with %s', (name) => {
    const distances = tasks.flatMap((a, i) =>
      tasks.slice(0, i).map((b, j) => {
        const [p, q] = [a, b].map((hex) => lab(seen(linear(hex), sights[name])));
        return { pair: `${j + 1} and ${i + 1}`, distance: Math.hypot(...p.map((x, k) => x - q[k])), i };
      }),
    );
    // 2.3 is just noticeable side by side; lines apart from each other need several times that.
    for (const { pair, distance, i } of distances) expect(distance, pair).toBeGreaterThan(i < 4 ? 20 : 11);
  });

  it('stands out from the ground', () => {
    for (const task of tasks) expect(contrast(task, colour(theme, 'ground'))).toBeGreaterThan(3);
    expect(contrast(colour(theme, 'ink'), colour(theme, 'ground'))).toBeGreaterThan(7);
    expect(contrast(colour(theme, 'soft'), colour(theme, 'ground'))).toBeGreaterThan(4.5);
  });

  it('is the same by choice and by the system', () => {
    const system = css.slice(css.indexOf('@media'));
    if (theme === themes.dark)
      expect(system.match(/--[\w-]+: [^;]+;/g)).toEqual(theme.match(/--[\w-]+: [^;]+;/g));
  });
});

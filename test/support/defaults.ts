/** Tables of options in the documentation: whether their defaults are those of the code. */
import { expect } from 'vitest';
import { resolveOptions } from '../../lib/mixer/options.js';

type Options = ReturnType<typeof resolveOptions>;

const options = resolveOptions({ tasks: ['a', 'b'], batchSize: 80 });

/** How a table writes what has no number of its own, and what that comes to with 2 tasks and 80 samples. */
const written: Partial<Record<keyof Options, readonly [text: string, value: number]>> = {
  minWeight: ['0.5/K', 0.25],
  zeta2: ['0.1 · ζ1', 0.1 * options.zeta1],
  microBatchSize: ['b/(K·m)', 10],
};

function defaultOf(name: keyof Options): string {
  if (name === 'rule') return `'${options.rule.name}'`;
  const value = options[name];
  const [text, expected] = written[name] ?? [typeof value === 'string' ? `'${value}'` : String(value), value];
  expect(value).toBe(expected);
  return text;
}

/** The second column of the rows of these options, of which each stands in one. */
export function expectDefaults(text: string, names: readonly (keyof Options)[]): void {
  for (const name of names) {
    const rows = text.split('\n').filter((line) => line.startsWith(`| \`${name}\``));
    expect(rows.length, name).toBe(1);
    expect(rows[0].split('|')[2].trim().replaceAll('`', ''), name).toBe(defaultOf(name));
  }
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeDocument } from '../support/documents.js';
import { root } from '../support/markdown.js';
import { run } from '../support/scripts.js';

/** The script draws its data by Math.random: what its few steps make of the loss is not to be left to chance. */
const ALWAYS_THE_SAME = `
  import { randomNumbers } from ${JSON.stringify(join(root, 'dist/verification/random.js'))};
  Math.random = randomNumbers(1);
`;

describeDocument('docs/stacks.md', (examples) => {
  it('its script for jax-js runs as written', () => {
    const script = examples.take('js');
    // The package is no dependency of this one; the example's Adam has the same interface.
    const [optax, own] = ["'@jax-js/optax'", `'${join(root, 'dist-examples/mixed-text/jax-adam.js')}'`];
    expect(script).toContain(optax);
    const { status, stdout, stderr } = run(ALWAYS_THE_SAME + script.replace(optax, own));
    expect(status, stderr).toBe(0);
    const [first, , , , last, ...rest] = stdout.trim().split('\n');
    const read = (line: string) =>
      line
        .match(/loss ([\d.]+), weights ([\d.]+),([\d.]+)$/)!
        .slice(1)
        .map(Number);
    expect(read(last)[0]).toBeLessThan(read(first)[0]);
    expect(read(first).slice(1)).toEqual([0.5, 0.5]);
    expect(read(last)[1]).not.toBe(0.5);
    expect(rest.join(' ')).toMatch(/^Float32Array\(4\)/);
  });

  it('no placeholder is left', () => {
    expect(readFileSync(join(root, 'docs/stacks.md'), 'utf8')).not.toMatch(/COSTS|TODO/);
  });
});

/** Three sources of three kinds: an array, a file of JSON Lines, and a stream. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonLines, type SourceInput, shuffled } from 'pike-mixer';

export interface Sample {
  readonly x: readonly number[];
  readonly label: number;
}

export const inputs = 24;
export const classes = 6;
export const tasks = ['array', 'file', 'stream'] as const;

/** The file is written into `folder` unless it is there already. */
export function openSources(folder: string): Record<(typeof tasks)[number], SourceInput<Sample>> {
  const file = join(folder, 'samples.jsonl');
  if (!existsSync(file)) {
    const lines = Array.from({ length: 700 }, (_, i) => `${JSON.stringify(sample(1, i))}\n`);
    // In one step, like a state: a process that is killed here leaves no half file behind.
    writeFileSync(`${file}.new`, lines.join(''));
    renameSync(`${file}.new`, file);
  }
  return {
    array: Array.from({ length: 500 }, (_, i) => sample(0, i)),
    // Files come in their own order; this shuffles them in windows of 100 lines.
    file: shuffled(jsonLines<Sample>(file), 100),
    // Made anew for each pass. Exact resume needs the same samples for the same pass, here another part of the data each.
    stream: async function* ({ epoch }) {
      for (let i = 0; i < 600; i++) yield sample(2, 600 * (epoch % 5) + i);
    },
  };
}

/** Sample number `i` of a source: a class, and inputs around its corner, more or less blurred. */
function sample(source: number, i: number): Sample {
  const label = i % classes;
  const blur = [0.5, 2, 8][source]!;
  const x = Array.from({ length: inputs }, (_, j) => {
    const noise = Math.sin(12.9898 * (i + 1) + 78.233 * (j + 1) * (source + 1)) * 43758.5453;
    return Number(j % classes === label) + blur * (noise - Math.floor(noise) - 0.5);
  });
  return { x, label };
}

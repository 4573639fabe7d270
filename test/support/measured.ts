/** Which gradients reach a mixer, whichever way they come, copied as they come: adapters use their memory again. */
import { vi } from 'vitest';
import type { Gradient, Mixer } from '../../lib/index.js';

export interface MeasuredRow {
  task: number;
  samples: number;
  loss: number | undefined;
  /** All tensors end to end, as the adapters give them. */
  gradient: number[];
  metric: number[] | null;
}

export function recordRows(mixer: Mixer): MeasuredRow[] {
  const seen: MeasuredRow[] = [];
  const flat = (gradient: Gradient) => Array.from(gradient as Float32Array);
  const { observe, measure } = mixer;
  vi.spyOn(mixer, 'observe').mockImplementation((task, gradient, given) => {
    const { samples, loss, preconditioner } = given;
    const metric = preconditioner ? flat(preconditioner) : null;
    seen.push({ task: mixer.tasks.indexOf(task), samples, loss, gradient: flat(gradient), metric });
    return observe.call(mixer, task, gradient, given);
  });
  vi.spyOn(mixer, 'measure').mockImplementation((rows, given) => {
    const metric = given.preconditioner ? flat(given.preconditioner) : null;
    for (const [task, own] of rows.entries())
      for (const [i, gradient] of own.entries()) {
        const [samples, loss] = [given.samples[task][i], given.losses?.[task][i]];
        seen.push({ task, samples, loss, gradient: flat(gradient), metric });
      }
    return measure.call(mixer, rows, given);
  });
  return seen;
}

/** Which measurements are timed. */
import type { Shape } from '../../dist/throughput/batch.js';
import type { Size } from '../../dist/throughput/size.js';

/** Elements of a row. */
export const COLUMNS: Readonly<Record<Size, number>> = { full: 2e7, quick: 1e7, tiny: 4096 };

const TASKS = [1, 2, 4, 8, 16, 32, 64];

/** Sorted by dtype, so that rows can be shared. */
export function shapes(size: Size, threads: number): Shape[] {
  const plain = {
    dtype: 'float32',
    perTask: 2,
    inner: true,
    standardErrors: false,
    preconditioner: false,
  } as const;
  const all = (tasks: readonly number[], given: Partial<Shape> = {}): Shape[] =>
    tasks.map((K) => ({ ...plain, threads, ...given, tasks: K }));
  const few = (tasks: readonly number[]) => (size === 'full' ? tasks : tasks.slice(0, 1));
  const most = size === 'full' ? TASKS : TASKS.slice(0, size === 'quick' ? 5 : 2);
  const found = [
    ...all(most),
    ...all(size === 'full' ? TASKS : few([4, 1]), { inner: false }),
    ...all(few([4, 1, 2, 8, 16]), { perTask: 8 }),
    // Standard errors need three micro-batches: with and without, of the same shape.
    ...all(few([2, 4, 8]), { perTask: 4 }),
    ...all(few([2, 4, 8]), { perTask: 4, standardErrors: true }),
    ...all(few([2, 4, 8]), { preconditioner: true }),
    ...all(threads > 1 || size === 'tiny' ? few([4, 1, 16]) : [], { threads: 1 }),
  ];
  for (const dtype of ['bfloat16', 'float16', 'float64'] as const)
    found.push(...all(size === 'full' ? TASKS.slice(0, 5) : few([4]), { dtype }));
  if (size === 'quick') found.push(...all([1, 2], { dtype: 'bfloat16' }));
  return found;
}

export const showShape = ({ tasks, perTask }: Pick<Shape, 'tasks' | 'perTask'>) => `${tasks}×${perTask}`;

/** What is not as in the first rows of the table. */
export function showOptions(shape: Shape): string {
  const said = [
    shape.inner ? 'products' : '',
    shape.standardErrors ? 'standard errors' : '',
    shape.preconditioner ? 'preconditioner' : '',
  ];
  return said.filter(Boolean).join(', ') || '-';
}

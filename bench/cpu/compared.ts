/** Peers: the same job by other means, timed in turn with ours. */
import { atLeast, type Check, short } from '../report.js';
import { medianRatio, type Timing, timing } from '../statistics.js';
import { type Shape, showShape } from './shapes.js';

export type ComparedShape = Pick<Shape, 'tasks' | 'perTask'> & { readonly d: number };

export interface Compared extends ComparedShape {
  readonly peer: string;
  readonly threads: string;
  /** In seconds; ours with products, in float32, on all threads. */
  readonly own: Timing;
  readonly theirs: Timing;
  /** How many times faster ours is, by the ratios of neighbours. */
  readonly ratio: number;
  /** Null where nothing is promised. */
  readonly target: number | null;
}

export function compared(
  peer: string,
  threads: number | string,
  shape: ComparedShape,
  times: { readonly own: readonly number[]; readonly theirs: readonly number[] },
  target: number | null,
): Compared {
  const ratio = medianRatio(times.theirs, times.own);
  const { tasks, perTask, d } = shape;
  const [own, theirs] = [timing(times.own), timing(times.theirs)];
  return { peer, threads: String(threads), tasks, perTask, d, own, theirs, ratio, target };
}

export function comparedCheck(found: Compared): Check[] {
  if (found.target === null) return [];
  const what = `times faster than ${found.peer}, ${showShape(found)} rows of ${short(found.d)}`;
  return [atLeast(what, found.ratio, found.target)];
}

export function comparedTable(title: string, found: readonly Compared[]) {
  return {
    title: `${title}: medians in ms; 'times' by the ratios of neighbours`,
    head: ['', 'threads', 'K×m', 'd', 'ms', 'ours', 'times', 'aim', ''],
    rows: found.map((each) => [
      each.peer,
      each.threads,
      showShape(each),
      short(each.d),
      short(1000 * each.theirs.median),
      short(1000 * each.own.median),
      short(each.ratio),
      each.target === null ? '' : short(each.target),
      each.target === null ? '' : each.ratio >= each.target ? 'met' : 'missed',
    ]),
  };
}

/** Peers: the same job by other means, timed in turn with ours. */
import { type PeerShape, type PeerTimed, peerTimed } from '../../dist/throughput/peers.js';
import { atLeast, type Check, short } from '../report.js';
import { showShape } from './shapes.js';

export interface Compared extends PeerTimed {
  /** Null where nothing is promised. */
  readonly target: number | null;
}

export function compared(
  peer: string,
  threads: number | string,
  shape: PeerShape,
  times: { readonly own: readonly number[]; readonly theirs: readonly number[] },
  target: number | null,
): Compared {
  return { ...peerTimed(peer, threads, shape, times), target };
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

/** The yardsticks of the addon: how fast memory is read, and updated. */
import type { NativeAddon, NativeResult } from '../backends/load-addon.js';
import { isStatus } from '../backends/native-call.js';
import type { RowArray } from './memory.js';
import { interleave, type Limits, type TimedCall } from './pairs.js';
import { medianRatio } from './timing.js';

/** What of the addon the probes call. */
export type Probing = Pick<NativeAddon, 'hostTools'>;

/** Waits for what the addon does. @throws Error with what it says */
export async function settled<T>(result: NativeResult<T>): Promise<T> {
  const value = await result;
  if (isStatus(value)) throw new Error(`${value.code}: ${value.message}`);
  return value;
}

export function readProbe(
  { hostTools }: Probing,
  arrays: readonly RowArray[],
  streams: 1 | 8,
  threads: number,
): TimedCall {
  return async () => (await settled(hostTools.read(arrays, streams, threads))).seconds;
}

export function updateProbe(
  { hostTools }: Probing,
  mean: Float32Array,
  gradients: readonly Float32Array[],
  threads: number,
): TimedCall {
  let turn = 0;
  return () => settled(hostTools.update(mean, gradients[turn++ % gradients.length], 0.1, threads));
}

export interface Probed {
  /** Seconds of the calls, and of the two forms of the probe beside each. */
  readonly own: number[];
  readonly plain: number[];
  readonly streams: number[];
  /** Of the faster form, by the ratios of neighbours. */
  readonly share: number;
  readonly faster: 'plain' | 'streams';
}

/** Times a call that reads these arrays once next to both read probes. */
export async function besideReadProbes(
  addon: Probing,
  call: TimedCall,
  arrays: readonly RowArray[],
  threads: number,
  limits: Limits,
): Promise<Probed> {
  const times = await interleave(
    { plain: readProbe(addon, arrays, 1, threads), streams: readProbe(addon, arrays, 8, threads), own: call },
    limits,
  );
  return { ...times, ...shareOfFaster(times) };
}

/** The better probe is the one that the call looks worse beside. */
export function shareOfFaster(
  times: Pick<Probed, 'own' | 'plain' | 'streams'>,
): Pick<Probed, 'share' | 'faster'> {
  const plain = medianRatio(times.plain, times.own);
  const streams = medianRatio(times.streams, times.own);
  return plain < streams ? { share: plain, faster: 'plain' } : { share: streams, faster: 'streams' };
}

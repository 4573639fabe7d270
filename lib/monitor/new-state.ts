import { Mixture, type MixtureState } from '../mixer/mixture.js';
import { resolveOptions } from '../mixer/options.js';
import { type MixerState, restoredOptions } from '../mixer/state.js';

/** Whether a mixer's state is the one that its options alone would give, so that it need not be written down. */
export function isAsNew(state: MixerState): boolean {
  const { step, pending, passedOver, retired, lossWeights, rule, smoothing, allocator } = state;
  if (step > 0 || pending.length !== 1 || passedOver > 0) return false;
  let fresh: MixtureState;
  try {
    fresh = new Mixture(resolveOptions(restoredOptions(state, {}))).state();
  } catch {
    // Its rule is none that is known by name.
    return false;
  }
  const own: MixtureState = { retired, lossWeights, rule, smoothing, allocator };
  return Object.entries(own).every(
    ([key, value]) => JSON.stringify(value) === JSON.stringify(fresh[key as keyof MixtureState]),
  );
}

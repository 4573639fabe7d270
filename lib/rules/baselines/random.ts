/**
 * Random numbers by their index, so that a state need hold no more than a counter: SplitMix64 (Steele, Lea and Flood,
 * OOPSLA 2014), whose n-th output is a hash of seed + (n + 1)·γ.
 */
const golden = 0x9e3779b97f4a7c15n;

/** Output `index` of SplitMix64 for `seed`, a 64-bit integer. */
export function splitMix64(seed: bigint, index: bigint): bigint {
  const u64 = (x: bigint) => BigInt.asUintN(64, x);
  let z = u64(seed + (index + 1n) * golden);
  z = u64((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
  z = u64((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
  return z ^ (z >> 31n);
}

/** Number `index` of the sequence of `seed`: uniform in [0, 1), a multiple of 2⁻⁵³. */
export function counterRandom(seed: number, index: number): number {
  return Number(splitMix64(BigInt(seed), BigInt(index)) >> 11n) * 2 ** -53;
}

/** Gradients of a made-up model: task k has mean `means[k]` and isotropic noise, from a small seeded generator. */
export function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Mean gradient of `samples` samples. */
export function drawGradient(
  mean: readonly number[],
  sigma: number,
  samples: number,
  random: () => number,
): Float32Array {
  return Float32Array.from(mean, (x) => x + (sigma / Math.sqrt(samples)) * gaussian(random));
}

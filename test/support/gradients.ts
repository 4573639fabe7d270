import type { HostTensor } from '../../lib/index.js';

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

export type Kind = 'float32' | 'float64' | 'bfloat16' | 'float16';

/** Random numbers of one kind; 16-bit floats are finite bit patterns, tiny to huge. */
export function randomTensor(kind: Kind, length: number, random: () => number): HostTensor {
  if (kind === 'float32') return Float32Array.from({ length }, () => 2 * random() - 1);
  if (kind === 'float64') return Float64Array.from({ length }, () => 2 * random() - 1);
  const exponents = kind === 'bfloat16' ? 0x7f80 : 0x7c00;
  const bits = () => {
    const value = Math.floor(random() * 65536);
    return (value & exponents) === exponents ? value & ~exponents : value;
  };
  return { data: Uint16Array.from({ length }, bits), dtype: kind };
}

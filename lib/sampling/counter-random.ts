/**
 * Random numbers by name instead of in sequence: what is drawn for (seed, purpose, stream, index) never depends on what
 * was drawn before, so that no state need be saved and a change of weights moves no other source's samples.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), the generator
 * of Random123, NumPy and cuRAND, on 32-bit integers: the same words on every platform.
 */

/** A different use of the same seed and stream draws other words. Below 2048; part of what a seed means, so never renumbered. */
export const purpose = { permutation: 1, window: 2, name: 3 } as const;

/**
 * One block of Philox4x32-10.
 *
 * @param counter four 32-bit words
 * @param key two 32-bit words
 * @returns four random 32-bit words
 */
export function philox4x32(counter: ArrayLike<number>, key: ArrayLike<number>): Uint32Array {
  let [c0, c1, c2, c3] = [counter[0], counter[1], counter[2], counter[3]];
  let [k0, k1] = [key[0], key[1]];
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return Uint32Array.of(c0, c1, c2, c3);
}

/**
 * Four random 32-bit words.
 *
 * @param seed whole numbers from 0 to 2⁵³ − 1, as are `stream` and `index`; `index` below 2⁵²
 * @param use one of `purpose`
 */
export function randomWords(seed: number, use: number, stream: number, index: number): Uint32Array {
  const counter = [low(index), high(index) ^ (use << 21), low(stream), high(stream)];
  return philox4x32(counter, [low(seed), high(seed)]);
}

/** A seed of 53 bits for what bears this name, e.g. for each source of a mixture. */
export function seedOf(seed: number, name: string): number {
  const bytes = new TextEncoder().encode(name);
  const key = [low(seed), high(seed)];
  // CBC-MAC over blocks of 16 bytes, the length first: no two names share their blocks.
  let words = randomWords(seed, purpose.name, 0, bytes.length);
  const block = new DataView(new ArrayBuffer(16));
  for (let start = 0; start < bytes.length; start += 16) {
    for (let i = 0; i < 16; i++) block.setUint8(i, bytes[start + i] ?? 0);
    words = philox4x32(
      words.map((word, i) => word ^ block.getUint32(4 * i, true)),
      key,
    );
  }
  return (words[1] >>> 11) * 2 ** 32 + words[0];
}

const low = (x: number) => x >>> 0;
const high = (x: number) => Math.floor(x / 2 ** 32);

/** The upper 32 bits of the product of two unsigned 32-bit numbers, by halves of 16 bits. */
function multiplyHigh(a: number, b: number): number {
  const [aHigh, aLow, bHigh, bLow] = [a >>> 16, a & 0xffff, b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  return (aHigh * bHigh + Math.floor(middle / 2 ** 16) + (aLow * bHigh + (middle & 0xffff)) / 2 ** 16) >>> 0;
}

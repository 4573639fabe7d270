/**
 * Shuffles without a table: a pseudo-random bijection of [0, n) that is evaluated one place at a time, in O(1) memory, so
 * that a shuffle of any size is resumed from one number.
 *
 * A generalised Feistel network on Z_a × Z_b with a·b >= n, a ≈ b ≈ √n, walked along its cycles until it falls below n:
 * Black and Rogaway, "Ciphers with arbitrary finite domains" (CT-RSA 2002), sections 4 and 5. Its round functions are
 * keyed hashes; for shuffles, not for secrets.
 */
import { PikeError } from '../errors.js';
import { purpose, randomWords } from './counter-random.js';

/** Above it, products of two sides would leave the whole numbers of a double. */
export const largestPermutation = 2 ** 50;

/**
 * Rounds that change both sides. With sides of two or three, where a round says little, six leave whole orders of five or
 * six numbers 4 % from uniform (measured); twelve do not.
 */
const doubleRounds = (size: number) => (size <= 256 ? 12 : 6);

/** Of keys that each part has to itself. */
const blocksOfPart = 16;

/**
 * The shuffle of 0 … size − 1 that belongs to (seed, epoch, part), as a function from places to numbers.
 *
 * @param part tells shuffles of one epoch apart, below 2⁴⁰
 * @throws PikeError `ERR_INVALID_OPTION` for more than 2⁵⁰ numbers
 */
export function permutation(size: number, seed: number, epoch: number, part = 0): (place: number) => number {
  if (size > largestPermutation)
    throw new PikeError(
      'ERR_INVALID_OPTION',
      `At most ${largestPermutation} samples can be shuffled, but there are ${size}.`,
    );
  const a = Math.ceil(Math.sqrt(size));
  const b = Math.ceil(size / a);
  // One block of four words for each double round.
  const blocks = doubleRounds(size);
  const keys = new Int32Array(4 * blocks);
  for (let block = 0; block < blocks; block++)
    keys.set(randomWords(seed, purpose.permutation, epoch, blocksOfPart * part + block), 4 * block);
  return (place) => {
    let x = place;
    // The walk stays on the cycle of `place`, which is below size, so it comes back below size; at most a few steps.
    do {
      let right = Math.floor(x / a);
      let left = x - a * right;
      for (let k = 0; k < keys.length; k += 4) {
        left += below(a, hash(right, keys[k], keys[k + 1]));
        if (left >= a) left -= a;
        right += below(b, hash(left, keys[k + 2], keys[k + 3]));
        if (right >= b) right -= b;
      }
      x = a * right + left;
    } while (x >= size);
    return x;
  };
}

/** 32 bits scaled to 0 … n − 1, for n <= 2²⁶; the product is within 2⁻⁵³ of exact, so it never rounds up to n. */
const below = (n: number, bits: number) => Math.floor(bits * n * 2 ** -32);

function hash(value: number, key1: number, key2: number): number {
  return mix(mix(value ^ key1) ^ key2) >>> 0;
}

/** MurmurHash3's finaliser: a bijection of 32 bits in which every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

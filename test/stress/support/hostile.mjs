/** Values that nobody should pass, for fast-check. */
import fc from 'fast-check';

/** What hostile getters throw, so that it is known again. */
export class Thrown extends Error {}

const CONSTRUCTORS = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  ...(globalThis.Float16Array ? [globalThis.Float16Array] : []),
];

class Subclassed extends Float32Array {
  get length() {
    return 1e6;
  }
}

export function detach(buffer) {
  try {
    structuredClone(buffer, { transfer: [buffer] });
  } catch {
    // Shared, or detached already.
  }
}

function bufferOf(kind, bytes) {
  switch (kind) {
    case 'shared':
      return new SharedArrayBuffer(bytes);
    case 'growable':
      return new SharedArrayBuffer(bytes, { maxByteLength: 2 * bytes + 8 });
    case 'resizable':
    case 'shrunk':
      return new ArrayBuffer(bytes, { maxByteLength: 2 * bytes + 8 });
    default:
      return new ArrayBuffer(bytes);
  }
}

/** A typed array of any kind over memory of any kind. */
export const typedArray = fc
  .record({
    Type: fc.constantFrom(...CONSTRUCTORS),
    length: fc.constantFrom(0, 1, 2, 3, 7, 8, 64, 1000),
    kind: fc.constantFrom(
      'plain',
      'plain',
      'shared',
      'growable',
      'resizable',
      'shrunk',
      'detached',
      'offset',
    ),
    fill: fc.constantFrom(0, 1, -1, 3, 250),
  })
  .map(({ Type, length, kind, fill }) => {
    const element = Type.BYTES_PER_ELEMENT;
    const offset = kind === 'offset' ? element : 0;
    const buffer = bufferOf(kind, length * element + offset);
    const array = new Type(buffer, offset, length);
    array.fill(array instanceof BigInt64Array || array instanceof BigUint64Array ? BigInt(fill) : fill);
    if (kind === 'detached') detach(buffer);
    if (kind === 'shrunk') buffer.resize(Math.max(0, length * element - 1));
    return array;
  });

export const number = fc.constantFrom(
  ...[
    0,
    -0,
    1,
    -1,
    2,
    3,
    0.5,
    1e9,
    -1e9,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 53 + 2,
    -(2 ** 53),
    1e15,
    1e300,
    -1e300,
  ],
  ...[Number.NaN, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE],
);

const thrower = () => {
  throw new Thrown('a getter that throws');
};

/** Objects that run script when they are looked at. */
const active = fc.constantFrom(
  () => new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }),
  () => new Proxy([], { get: thrower }),
  () => new Proxy([new Float32Array(3)], {}),
  () => new Proxy(new Float32Array(3), {}),
  () => new Proxy(() => {}, {}),
  () => ({ valueOf: thrower, toString: thrower, toJSON: thrower }),
  () => ({ valueOf: () => 3, length: 3 }),
  () => Object.defineProperty([0, 1], 0, { get: thrower }),
  () => ({
    get length() {
      return thrower();
    },
  }),
  () => Object.create(Float32Array.prototype),
  () => Object.setPrototypeOf(new Float32Array(3), null),
  () => new Subclassed(3),
  () => {
    const revoked = Proxy.revocable([], {});
    revoked.revoke();
    return revoked.proxy;
  },
);

const plain = fc.oneof(
  { weight: 4, arbitrary: number },
  { weight: 4, arbitrary: typedArray },
  {
    weight: 2,
    arbitrary: fc.anything({ withBigInt: true, withTypedArray: true, withSparseArray: true, maxDepth: 2 }),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...[undefined, null, true, false, '', 'float32', '-Infinity', '__proto__', 'x'.repeat(5000)],
      ...[Symbol('s'), 0n, 2n ** 64n, -1n],
    ),
  },
);

/** Such a value within a function: fast-check itself could not hold some of them. */
export const hostile = fc.oneof(
  { weight: 12, arbitrary: plain.map((value) => () => value) },
  { weight: 3, arbitrary: active },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...[() => [], () => ({}), () => new Array(1000), () => new Date(), () => new Map(), () => /x/],
      ...[() => new DataView(new ArrayBuffer(8)), () => new ArrayBuffer(8), () => new SharedArrayBuffer(8)],
      ...[() => Buffer.from('abc'), () => () => {}, () => Promise.resolve(1), () => Object.freeze([1, 2])],
      ...[() => [[], [[]]], () => new Error('x')],
    ),
  },
);

/** One of these, within a function as well. */
export const boxed = (arbitrary) => arbitrary.map((value) => () => value);

/** A copy of `value` in which something, somewhere, is another thing or gone. */
export function mutate(value, where, replacement, how) {
  try {
    return mutated(value, where, replacement, how);
  } catch {
    return value; // it is hostile by now
  }
}

function mutated(value, where, replacement, how) {
  const paths = [];
  const walk = (at, path) => {
    paths.push(path);
    if (typeof at !== 'object' || at === null || ArrayBuffer.isView(at)) return;
    for (const key of Object.keys(at)) walk(at[key], [...path, key]);
  };
  walk(value, []);
  const path = paths[where % paths.length];
  if (path.length === 0) return replacement();
  const copy = (at, depth) => {
    if (depth === path.length) return replacement();
    const inside = Array.isArray(at) ? [...at] : { ...at };
    const key = path[depth];
    if (depth < path.length - 1 || how === 'replace') inside[key] = copy(at[key], depth + 1);
    else if (how === 'delete') delete inside[key];
    else if (how === 'shorten' && Array.isArray(inside)) inside.splice(Number(key), 1);
    else if (Array.isArray(inside)) inside.push(inside[key]);
    else inside[`${key}2`] = inside[key];
    return inside;
  };
  return copy(value, 0);
}

export const mutation = fc.record({
  where: fc.nat(10_000),
  replacement: hostile,
  how: fc.constantFrom('replace', 'replace', 'replace', 'delete', 'shorten', 'lengthen'),
});

/**
 * Calls of the addon itself with whatever JavaScript has: `node test/stress/fuzz-arguments.mjs [--seed 1] [--runs 4000]`.
 * Whatever comes in, a call gives a result, or a status with a code and a message; it does not throw, crash or hang.
 */
import fc from 'fast-check';
import { loadAddon } from '../../dist/backends/load-addon.js';
import { boxed, detach, hostile, mutate, mutation, number, typedArray } from './support/hostile.mjs';
import { runCases } from './support/in-child.mjs';

const { addon, reasons } = loadAddon();
if (!addon) throw new Error(reasons.join('; '));
/** Addresses in the memory of a GPU are taken on trust. */
const probe = addon.cudaProbe();
const gpu = (probe.devices?.length ?? 0) > 0;

const CODES = /^ERR_[A-Z_]+$/;

const memory = (length, kind) => {
  const buffer =
    kind === 'shared'
      ? new SharedArrayBuffer(4 * length)
      : kind === 'owned'
        ? addon.allocateMemory(4 * Math.max(length, 1))
        : null;
  return buffer ? new Float32Array(buffer, 0, length) : new Float32Array(length).fill(1);
};

const request = fc
  .record({
    length: fc.constantFrom(0, 1, 17, 300_000),
    rowsPerTask: fc.constantFrom([2], [2, 2], [0, 3], []),
    kind: fc.constantFrom('plain', 'shared', 'owned'),
    metric: fc.boolean(),
    inner: fc.boolean(),
    threads: fc.constantFrom(1, 2, 3),
  })
  .map(({ length, rowsPerTask, kind, metric, inner, threads }) => {
    const rows = rowsPerTask.reduce((a, b) => a + b, 0);
    return {
      dtypes: Uint8Array.of(0),
      lengths: Float64Array.of(length),
      rowsPerTask: Int32Array.from(rowsPerTask),
      samples: new Float64Array(rows).fill(2),
      tensors: Array.from({ length: rows }, () => memory(length, kind)),
      preconditioner: metric ? { dtypes: Uint8Array.of(0), tensors: [memory(length, kind)] } : null,
      inner,
      rowScalars: inner,
      threads,
      // For a GPU.
      device: 0,
      pointers: null,
      streams: BigUint64Array.of(0n),
      owners: [],
      update: null,
    };
  });

/** Getters that take the memory of others away, or call back, while arguments are being read. */
const trap = fc.constantFrom('none', 'none', 'detach', 'dispose', 'abandon', 'resize');

function setTrap(kind, given, things) {
  try {
    trapped(kind, given, things);
  } catch {
    // It is hostile by itself.
  }
}

function trapped(kind, given, things) {
  if (kind === 'none' || typeof given !== 'object' || given === null || !Array.isArray(given.tensors)) return;
  const { tensors } = given;
  if (tensors.length < 2 || Object.isFrozen(tensors)) return;
  const value = tensors.at(-1);
  Object.defineProperty(tensors, tensors.length - 1, {
    configurable: true,
    get() {
      if (kind === 'detach') for (const each of tensors.slice(0, -1)) detach(each?.buffer);
      if (kind === 'dispose') things.stream?.dispose();
      if (kind === 'abandon') {
        things.staged?.abandon();
        things.staged?.advance();
      }
      if (kind === 'resize') tensors.length = 0;
      return value;
    },
  });
}

function check(result, what) {
  if (typeof result !== 'object' || result === null || !('code' in result)) return result;
  if (!CODES.test(result.code) || typeof result.message !== 'string' || result.message === '')
    throw new Error(`${what}: a status without a code or a message: ${JSON.stringify(result)}`);
  return result;
}

/** Goes through with whatever a call gave. */
async function settle(result, what, things, patience) {
  check(result, what);
  things.staged = typeof result?.advance === 'function' ? result : null;
  for (let i = 0; typeof result?.advance === 'function'; i++) {
    if (i === patience) {
      result.abandon();
      check(result.advance(), what);
      return;
    }
    await new Promise((turn) => setImmediate(turn));
    result = check(result.advance(), what);
  }
  if (result instanceof Promise) check(await result, what);
}

const mutations = fc.array(mutation, { maxLength: 2 });
const apply = (value, list) =>
  list.reduce((at, { where, replacement, how }) => mutate(at, where, replacement, how), value);

const cancellation = fc.oneof(boxed(fc.constantFrom(null, 'new', 'cancelled')), hostile);
function cancellationOf(make) {
  const given = make();
  if (given !== 'new' && given !== 'cancelled') return given;
  const flag = new addon.Cancellation();
  if (given === 'cancelled') flag.cancel();
  return flag;
}

const common = {
  request,
  mutations,
  trap,
  cancellation,
  slices: fc.boolean(),
  patience: fc.constantFrom(0, 1, 1000),
};

const CALLS = {
  moments: fc.record(common).map((given) => async (things) => {
    const changed = apply(given.request, given.mutations);
    setTrap(given.trap, changed, things);
    const result = addon.moments(changed, cancellationOf(given.cancellation), given.slices);
    await settle(result, 'moments', things, given.patience);
  }),
  stream: fc
    .record({
      ...common,
      task: fc.oneof(boxed(fc.constant(0)), boxed(number), hostile),
      samples: fc.oneof(boxed(fc.constant(2)), hostile),
      twice: fc.boolean(),
      late: hostile,
      disposes: fc.boolean(),
    })
    .map((given) => async (things) => {
      const options = apply({ ...given.request, tasks: 2 }, given.mutations);
      const stream = new addon.MomentStream(options);
      things.stream = stream;
      const { tensors, preconditioner, lengths } = given.request;
      const row = { tensors: tensors.slice(0, 1) };
      const disposing = { valueOf: () => Number(stream.dispose() ?? 0) };
      const task = given.disposes ? disposing : given.task();
      setTrap(given.trap, row, things);
      for (let i = 0; i < (given.twice ? 2 : 1); i++) {
        const result = stream.add(
          task,
          given.trap === 'none' ? row.tensors : tensors,
          given.samples(),
          preconditioner,
          lengths,
          cancellationOf(given.cancellation),
          given.slices,
        );
        await settle(result, 'add', things, given.patience);
      }
      await settle(
        stream.add(
          given.late(),
          given.late(),
          given.late(),
          given.late(),
          given.late(),
          given.late(),
          given.late(),
        ),
        'add',
        things,
        3,
      );
      await settle(stream.moments(cancellationOf(given.cancellation)), 'stream.moments', things, 3);
      check(stream.dispose(given.late()), 'dispose');
      check(stream.moments(null), 'moments after dispose');
    }),
  device: fc
    .record({ ...common, late: hostile, pointers: fc.oneof(fc.constant(null), typedArray) })
    .map((given) => async (things) => {
      const base = gpu ? given.request : { ...given.request, pointers: given.pointers };
      const changed = apply({ ...base, tasks: 2 }, given.mutations);
      if (gpu && changed?.pointers != null) return;
      setTrap(given.trap, changed, things);
      await settle(
        addon.deviceMoments(changed, cancellationOf(given.cancellation), given.slices),
        'deviceMoments',
        things,
        given.patience,
      );
      const stream = new addon.DeviceMomentStream(changed);
      things.stream = stream;
      await settle(
        stream.add(0, gpu ? base : changed, 1, given.request.preconditioner, null, given.slices),
        'device add',
        things,
        given.patience,
      );
      if (!gpu)
        await settle(
          stream.add(given.late(), given.late(), given.late(), given.late(), given.late()),
          'device add',
          things,
          3,
        );
      await settle(stream.moments(null), 'device moments', things, 3);
      check(stream.dispose(), 'device dispose');
      check(stream.moments(given.late()), 'device moments after dispose');
    }),
  tools: fc.array(hostile, { minLength: 4, maxLength: 4 }).map((makes) => async (things) => {
    const args = makes.map((make) => make());
    const { deviceTools, hostTools } = addon;
    if (!gpu) for (const tool of Object.values(deviceTools)) check(tool(...args), 'deviceTools');
    await settle(hostTools.read(...args), 'read', things, 3);
    await settle(hostTools.update(...args), 'update', things, 3);
    hostTools.threadSeconds(...args);
    check(addon.cudaProbe(...args), 'cudaProbe');
    check(addon.misalignment(...args), 'misalignment');
    check(addon.releaseMemory(...args), 'releaseMemory');
  }),
  probes: fc
    .record({
      arrays: fc.array(typedArray, { maxLength: 3 }),
      streams: number,
      threads: number,
      scale: hostile,
    })
    .map(({ arrays, streams, threads, scale }) => async (things) => {
      await settle(addon.hostTools.read(arrays, streams, threads), 'read', things, 3);
      await settle(addon.hostTools.update(arrays[0], arrays[1], scale(), threads), 'update', things, 3);
    }),
  memory: fc
    .record({ bytes: fc.oneof(boxed(number), hostile, boxed(fc.nat(3_000_000))), again: hostile })
    .map(({ bytes, again }) => async () => {
      const buffer = check(addon.allocateMemory(bytes()), 'allocateMemory');
      if (!(buffer instanceof ArrayBuffer)) return;
      if (buffer.byteLength < 1e7) new Uint8Array(buffer).fill(1);
      check(addon.misalignment(new Uint8Array(buffer)), 'misalignment');
      check(addon.releaseMemory(buffer), 'releaseMemory');
      check(addon.releaseMemory(buffer), 'releaseMemory, again');
      check(addon.releaseMemory(again()), 'releaseMemory');
    }),
  receivers: fc
    .record({ receiver: hostile, args: fc.array(hostile, { maxLength: 3 }) })
    .map(({ receiver, args: makes }) => async () => {
      const args = makes.map((make) => make());
      const { MomentStream, DeviceMomentStream, Cancellation } = addon;
      const methods = [MomentStream, DeviceMomentStream, Cancellation].flatMap(({ prototype }) =>
        Object.getOwnPropertyNames(prototype)
          .filter((name) => name !== 'constructor')
          .map((name) => prototype[name]),
      );
      const others = [
        receiver,
        new Cancellation(),
        new MomentStream({}),
        Object.create(MomentStream.prototype),
      ];
      for (const method of methods)
        for (const other of others) {
          if (other instanceof MomentStream && method === MomentStream.prototype.add) continue;
          // V8 refuses receivers of another class itself.
          try {
            check(Reflect.apply(method, other, args), 'a method');
          } catch (error) {
            if (!(error instanceof TypeError)) throw error;
          }
        }
      check(new MomentStream(...args), 'new MomentStream');
      new Cancellation(...args).cancel(...args);
    }),
};

const anyCall = fc.oneof(
  { weight: 6, arbitrary: CALLS.moments },
  { weight: 6, arbitrary: CALLS.stream },
  { weight: 3, arbitrary: CALLS.device },
  { weight: 2, arbitrary: CALLS.tools },
  { weight: 1, arbitrary: CALLS.probes },
  { weight: 2, arbitrary: CALLS.memory },
  { weight: 1, arbitrary: CALLS.receivers },
);

await runCases(
  import.meta.url,
  async (seed) => {
    const [call] = fc.sample(anyCall, { seed, numRuns: 1 });
    await call({});
  },
  { runs: 4000 },
);

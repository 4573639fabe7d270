/** How fast this machine measures gradients: kernels next to its memory, and to what else could do the job. Plain JSON. */
import { availableParallelism, cpus, freemem, loadavg } from 'node:os';
import { loadAddon } from '../backends/load-addon.js';
import { PikeError } from '../errors.js';
import type { Dtype } from '../gradients/layout.js';
import { VERSION } from '../version.js';
import { type BatchLimits, type BatchTimed, type TimedBackend, timeBatch } from './batch.js';
import { longestRow, type Row, RowPool } from './memory.js';
import { operationsOf, type PeerShape, type PeerTimed, timePlainJavaScript, timePython } from './peers.js';
import { PeerError, Python } from './python.js';
import type { Size } from './size.js';
import { STREAMED_ROWS, type StreamTimed, timeStream } from './streamed.js';

export interface ThroughputOptions {
  /** Which is timed (default 'cpu'); the probes are the addon's for either. */
  readonly backend?: TimedBackend;
  /** How much (default 'full'). */
  readonly size?: Size;
  /** The Python to look for peers in (default 'python3'). */
  readonly python?: string;
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface ThroughputReport {
  /** Of pike-mixer. */
  readonly version: string;
  readonly backend: TimedBackend;
  readonly size: Size;
  readonly processor: string;
  readonly threads: number;
  readonly instructionSet: string;
  /** How many threads of whatever wanted to run in the minute before; the fewer the better. */
  readonly load: number;
  /** All rows at once, two per task, with products. */
  readonly batch: readonly BatchTimed[];
  /** One row after the other. */
  readonly streamed: readonly StreamTimed[];
  readonly peers: readonly PeerTimed[];
  /** What is missing, and why; what figures mean. */
  readonly notes: readonly string[];
  readonly seconds: number;
}

const LIMITS: Readonly<Record<Size, Omit<BatchLimits, 'budget'>>> = {
  full: { columns: 1e7, runs: 15, seconds: 4 },
  quick: { columns: 4e6, runs: 5, seconds: 1 },
  tiny: { columns: 4096, runs: 2, seconds: 1 },
};

const ROWS = [2, 4, 8, 16, 32];
const DTYPES: readonly Dtype[] = ['float32', 'bfloat16', 'float16', 'float64'];
/** Of the rows that peers get. */
const PEER_ROWS: Readonly<Record<Size, readonly number[]>> = { full: [2, 8, 32], quick: [8], tiny: [4] };

/** The reference is given so much less. */
const SLOWER = 16;

/** Load from which on figures are not to be trusted: a core that another has is missing from ours. */
const MOST_LOAD = 0.5;

/** @throws PikeError `ERR_NO_BACKEND` without the native addon */
export async function throughput(options: ThroughputOptions = {}): Promise<ThroughputReport> {
  const { size = 'full', backend = 'cpu' } = options;
  const { addon, reasons } = loadAddon();
  if (!addon) throw new PikeError('ERR_NO_BACKEND', `the native addon cannot be used: ${reasons.join('; ')}`);
  const started = performance.now();
  const load = loadavg()[0];
  const threads = availableParallelism();
  const { columns, ...rest } = LIMITS[size];
  const limits = {
    ...rest,
    columns: backend === 'cpu' ? columns : columns / SLOWER,
    budget: memoryFor(size),
  };
  const notes: string[] = [];
  if (load > MOST_LOAD)
    notes.push(`Something else was running (load ${load.toFixed(1)}): figures may be low.`);
  if (size === 'tiny') notes.push('The times of so few numbers mean nothing.');

  const shapes = DTYPES.flatMap((dtype) => rowCounts(dtype, size).map((rows) => ({ dtype, rows })));
  const total = shapes.length + DTYPES.length + 2 * PEER_ROWS[size].length;
  let done = 0;
  const tell = (what: string) => options.onProgress?.(done++, total, what);

  const batch: BatchTimed[] = [];
  const streamed: StreamTimed[] = [];
  const probed = new RowPool('float32');
  for (const dtype of DTYPES) {
    const pool = dtype === 'float32' ? probed : new RowPool(dtype);
    for (const { rows } of shapes.filter((shape) => shape.dtype === dtype)) {
      tell(`${dtype}, ${rows} rows`);
      const plain = { inner: true, standardErrors: false, preconditioner: false };
      batch.push(
        await timeBatch(
          addon,
          pool,
          { ...plain, dtype, tasks: rows / 2, perTask: 2, threads },
          limits,
          backend,
        ),
      );
    }
    tell(`${dtype}, streamed`);
    const d = longestRow(limits.columns, 2 * STREAMED_ROWS + 2, 'float64', limits.budget);
    const own = pool.take(STREAMED_ROWS, d);
    streamed.push(await timeStream(addon, own, probed.take(STREAMED_ROWS, d), threads, limits, backend));
    if (pool !== probed) pool.release();
  }
  const peers = await timePeers(probed, size, limits, options, tell, notes);
  if (batch.some(({ d }) => d < limits.columns))
    notes.push('Rows are shorter where memory holds no longer ones.');
  return {
    version: VERSION,
    backend,
    size,
    processor: cpus()[0]?.model.trim() || 'unknown',
    threads,
    instructionSet: addon.buildInfo.instructionSet,
    load,
    batch,
    streamed,
    peers,
    notes,
    seconds: (performance.now() - started) / 1000,
  };
}

function rowCounts(dtype: Dtype, size: Size): number[] {
  if (size === 'full') return ROWS;
  return dtype === 'float32' ? [2, 8, 32] : [8];
}

/** Bytes that all rows together may take: the machine is somebody's. */
function memoryFor(size: Size): number {
  const most = { full: 4e9, quick: 1.5e9, tiny: 1e7 }[size];
  const free = 'availableMemory' in process ? (process.availableMemory as () => number)() : freemem();
  return Math.min(most, 0.5 * free);
}

async function timePeers(
  pool: RowPool,
  size: Size,
  limits: BatchLimits,
  { python: command, backend }: ThroughputOptions,
  tell: (what: string) => void,
  notes: string[],
): Promise<PeerTimed[]> {
  const found: PeerTimed[] = [];
  /** Python holds as much as we do. */
  const rowsFor = (count: number): { rows: Row[]; shape: PeerShape } => {
    const d = longestRow(limits.columns, 2 * count, 'float32', limits.budget);
    return { rows: pool.take(count, d), shape: { tasks: count / 2, perTask: 2, d } };
  };
  for (const count of PEER_ROWS[size]) {
    tell(`plain JavaScript, ${count} rows`);
    const { rows, shape } = rowsFor(count);
    found.push(await timePlainJavaScript(rows, shape, limits, backend));
  }
  const python = await Python.start(availableParallelism(), command);
  if ('skipped' in python) {
    notes.push(`Without peers in Python: ${python.skipped}.`);
    return found;
  }
  try {
    const hello = await python.hello();
    if (hello.openblas !== null) notes.push(`OpenBLAS: ${hello.openblas}.`);
    notes.push(...Object.values(hello.reasons).map((reason) => `Left out: ${reason}.`));
    const operations = operationsOf(hello);
    for (const count of Object.keys(operations).length > 0 ? PEER_ROWS[size] : []) {
      tell(`peers in Python, ${count} rows`);
      const { rows, shape } = rowsFor(count);
      for (const { operation: _, ...timed } of await timePython(
        python,
        rows,
        shape,
        operations,
        limits,
        backend,
      ))
        found.push(timed);
    }
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    // What has been measured so far is not lost for it.
    notes.push(`Peers in Python are left out from there on: ${error.message}.`);
  } finally {
    python.end();
  }
  return found;
}

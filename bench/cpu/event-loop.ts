/** What a measurement takes from the thread that JavaScript runs on, and from memory beyond its gradients. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { statistics } from '../../dist/backends/measure.js';
import { collectGarbage, type Row, RowPool } from '../../dist/throughput/memory.js';
import type { Size } from '../../dist/throughput/size.js';
import { below, type Check, type PartReport, partReport, short } from '../report.js';
import { requireAddon } from './addon.js';
import { LONGEST_SECTION, MOST_ADDED_DELAY, MOST_GROWTH } from './targets.js';

/** Elements of all rows together, and for how many milliseconds a timer is watched, of each kind, in each round. */
const ELEMENTS: Readonly<Record<Size, number>> = { full: 1e8, quick: 1e8, tiny: 1e5 };
const WATCHED: Readonly<Record<Size, number>> = { full: 2500, quick: 1000, tiny: 60 };
const ROUNDS: Readonly<Record<Size, number>> = { full: 4, quick: 2, tiny: 1 };
const CALLS: Readonly<Record<Size, number>> = { full: 20, quick: 8, tiny: 3 };
/** Two per task. */
const [FEW_TASKS, MANY_TASKS] = [2, 16];

/** A 1 ms timer: by how many milliseconds it came too late. */
export interface Delays {
  readonly count: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export interface Sections {
  readonly tasks: number;
  /** Longest synchronous part of a call, by the CPU clock of the thread and by that on the wall; milliseconds. */
  readonly call: number;
  readonly callWall: number;
  /** All that the thread did from there to the result: at least as long as any section of it. */
  readonly rest: number;
  /** Bytes by which the process grew. */
  readonly growth: number;
}

export interface EventLoop {
  readonly idle: Delays;
  readonly foreign: Delays;
  readonly measuring: Delays;
  readonly sections: readonly Sections[];
}

export async function eventLoop(size: Size): Promise<PartReport> {
  const threads = availableParallelism();
  const sections = [];
  for (const tasks of [FEW_TASKS, MANY_TASKS]) sections.push(await measureSections(tasks, threads, size));
  const delays = await watchDelays(threads, size);
  const found: EventLoop = { ...delays, sections };
  const line = (name: string, { count, median, p99, max }: Delays) => [
    name,
    String(count),
    ...[median, p99, max].map((each) => each.toFixed(2)),
  ];
  return partReport({
    checks: size === 'tiny' ? [] : eventLoopChecks(found),
    tables: [
      {
        title: `Delay of a 1 ms timer, in ms; measurements of ${short(ELEMENTS[size])} elements on ${threads} threads`,
        head: ['beside', 'ticks', 'median', '99 %', 'max'],
        rows: [
          line('nothing', found.idle),
          line(`${threads} foreign threads`, found.foreign),
          line('measurements', found.measuring),
        ],
      },
      {
        title: 'On the JS thread, in ms of its own clock, and growth of the process beyond the gradients',
        head: ['K×m', 'call', '(by the wall)', 'all until the result', 'KiB'],
        rows: sections.map((each) => [
          `${each.tasks}×2`,
          each.call.toFixed(3),
          each.callWall.toFixed(3),
          each.rest.toFixed(3),
          String(Math.round(each.growth / 1024)),
        ]),
      },
    ],
    data: found,
  });
}

export function eventLoopChecks({ foreign, measuring, sections }: EventLoop): Check[] {
  const added = measuring.p99 - foreign.p99;
  return [
    ...sections.flatMap(({ tasks, call, rest, growth }) => [
      below(`ms of one section on the JS thread, ${tasks}×2 rows`, Math.max(call, rest), LONGEST_SECTION),
      below(`bytes that the process grows by, ${tasks}×2 rows`, growth, MOST_GROWTH),
    ]),
    below('ms added to the 99th percentile of a timer’s delay', added, MOST_ADDED_DELAY),
  ];
}

function measurement(tasks: number, rows: readonly Row[], threads: number): () => Promise<unknown> {
  const gradients = Array.from({ length: tasks }, (_, k) =>
    rows.slice(2 * k, 2 * k + 2).map(({ gradient }) => gradient),
  );
  const samples = gradients.map(() => [4, 4]);
  return () => statistics(gradients, { samples, inner: true, threads, backend: 'cpu' });
}

const columns = (tasks: number, size: Size) => Math.floor(ELEMENTS[size] / (2 * tasks));

async function measureSections(tasks: number, threads: number, size: Size): Promise<Sections> {
  const { hostTools } = requireAddon();
  const milliseconds = () => 1000 * hostTools.threadSeconds();
  const rows = new RowPool('float32').take(2 * tasks, columns(tasks, size));
  const measure = measurement(tasks, rows, threads);
  // Threads are started, code is compiled and the heap has its size after measurements of a few elements.
  const few = measurement(tasks, new RowPool('float32').take(2 * tasks, 1024), threads);
  collectGarbage();
  for (let run = 0; run < 500; run++) await few();
  let [call, callWall, rest] = [0, 0, 0];
  const before = residentBytes();
  for (let run = 0; run < CALLS[size]; run++) {
    const [began, beganWall] = [milliseconds(), performance.now()];
    const result = measure();
    const [returned, returnedWall] = [milliseconds(), performance.now()];
    await result;
    const ended = milliseconds();
    call = Math.max(call, returned - began);
    callWall = Math.max(callWall, returnedWall - beganWall);
    rest = Math.max(rest, ended - returned);
  }
  return { tasks, call, callWall, rest, growth: Math.max(0, peakResidentBytes() - before) };
}

/** What the process has in memory now, from where on its peak is counted. */
function residentBytes(): number {
  try {
    writeFileSync('/proc/self/clear_refs', '5'); // the peak becomes what it has now
    return peakResidentBytes();
  } catch {
    return process.memoryUsage.rss();
  }
}

/** The most since `residentBytes`; what there is now, where the system does not tell. */
function peakResidentBytes(): number {
  try {
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return 1024 * Number(kilobytes);
  } catch {
    return process.memoryUsage.rss();
  }
}

/** In turn, because a machine that others share has better and worse seconds. */
async function watchDelays(threads: number, size: Size) {
  const rows = new RowPool('float32').take(2 * FEW_TASKS, columns(FEW_TASKS, size));
  const measure = measurement(FEW_TASKS, rows, threads);
  await measure();
  const delays: Record<'idle' | 'foreign' | 'measuring', number[]> = { idle: [], foreign: [], measuring: [] };
  for (let round = 0; round < ROUNDS[size]; round++) {
    await watchTimer(WATCHED[size], delays.idle);
    const foreign = await Promise.all(Array.from({ length: threads }, spin));
    await watchTimer(WATCHED[size], delays.foreign);
    await Promise.all(foreign.map(stop));
    let measuring = true;
    const loop = (async () => {
      while (measuring) await measure();
    })();
    await watchTimer(WATCHED[size], delays.measuring);
    measuring = false;
    await loop;
  }
  return {
    idle: summary(delays.idle),
    foreign: summary(delays.foreign),
    measuring: summary(delays.measuring),
  };
}

/** Adds the delays of a timer that is set to 1 ms again and again. */
function watchTimer(milliseconds: number, delays: number[]): Promise<void> {
  return new Promise((resolve) => {
    const started = performance.now();
    let set = started;
    const tick = () => {
      const now = performance.now();
      delays.push(now - set - 1);
      if (now - started > milliseconds) return resolve();
      set = performance.now();
      setTimeout(tick, 1);
    };
    setTimeout(tick, 1);
  });
}

export function summary(delays: readonly number[]): Delays {
  const sorted = [...delays].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  return { count: sorted.length, median: at(0.5), p99: at(0.99), max: sorted[sorted.length - 1] };
}

/** Computes, looks up every 20 ms, and ends with the process that it was started by. */
const SPIN = `
process.stdin.on('end', () => process.exit()).resume();
const turn = () => {
  for (const until = Date.now() + 20; Date.now() < until; );
  setImmediate(turn);
};
console.log();
turn();`;

/** A process that computes on one thread, once it has begun. */
async function spin(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', SPIN], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return child;
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('close', () => resolve());
    child.kill();
  });
}

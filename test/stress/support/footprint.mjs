/** What a process holds: memory after a full collection, handles, open files, threads. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

/** Collects until nothing more goes: finalizers run in later turns of the event loop. */
export async function collect() {
  for (let i = 0; i < 6; i++) {
    gc();
    await sleep(20);
  }
}

const count = (folder) => {
  try {
    return readdirSync(folder).length;
  } catch {
    return 0; // not Linux
  }
};

/** Bytes of this process in memory that are its own, files that it has mapped apart. */
export function residentBytes() {
  const { rss } = process.memoryUsage();
  try {
    const anonymous = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return anonymous ? 1024 * Number(anonymous[1]) : rss;
  } catch {
    return rss;
  }
}

export async function footprint() {
  await collect();
  const { external, arrayBuffers, heapUsed } = process.memoryUsage();
  return {
    resident: residentBytes(),
    heapUsed,
    external,
    arrayBuffers,
    handles: process.getActiveResourcesInfo().length,
    files: count('/proc/self/fd'),
    threads: count('/proc/self/task'),
  };
}

const MEGABYTE = 2 ** 20;

export function describe({ resident, heapUsed, external, arrayBuffers, handles, files, threads }) {
  const mb = (bytes) => (bytes / MEGABYTE).toFixed(1);
  return (
    `resident ${mb(resident)} MB, heap ${mb(heapUsed)}, external ${mb(external)}, array buffers ${mb(arrayBuffers)}; ` +
    `${handles} handles, ${files} files, ${threads} threads`
  );
}

/** What has grown by more than the share allowed, beyond what is noise in small numbers; '' if nothing has. */
export function growth(before, after, share = 0.02) {
  const slack = { resident: 2 * MEGABYTE, heapUsed: MEGABYTE, external: MEGABYTE, arrayBuffers: MEGABYTE };
  return Object.keys(before)
    .filter((key) => after[key] > before[key] * (slack[key] ? 1 + share : 1) + (slack[key] ?? 0))
    .map((key) => `${key} has grown from ${before[key]} to ${after[key]}`)
    .join('; ');
}

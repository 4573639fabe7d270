/** What goes on the report's time axis: warnings, retirements, and what an update's report tells of. */
import type { LoggedRun } from '../monitor/logged-run.js';
import type { EventKind, PageEvent } from './page-data.js';

const LONGEST_TEXT = 400;

export interface Timeline {
  events: PageEvent[];
  counts: Partial<Record<EventKind, number>>;
}

/** @param places how many places of a kind are told apart over the steps of the run */
export function timelineOf(run: LoggedRun, lastStep: number, places: number): Timeline {
  const counts: Partial<Record<EventKind, number>> = {};
  const marks = new Map<string, PageEvent>();
  const width = Math.max(1, Math.ceil((lastStep + 1) / places));
  const add = (kind: EventKind, step: number, text: string) => {
    counts[kind] = (counts[kind] ?? 0) + 1;
    const key = `${kind} ${Math.floor(step / width)}`;
    const mark = marks.get(key);
    if (mark) mark.times++;
    else marks.set(key, { kind, step, text: shorten(text), times: 1 });
  };
  for (const { step, code, message } of run.warnings) add('warning', step, `${code}: ${message}`);
  for (const { step, task } of run.retirements) add('retired', step, `${task} left the mixture`);
  for (const { step, task, reason } of run.skips) add('missed', step, `${task}: ${reason}`);
  for (const { step, passedOver, limited, clipped, floored, held } of run.updates) {
    if (passedOver > 0)
      add('passed over', step, `${times(passedOver)} due without a measurement before this update`);
    if (limited) add('limited', step, 'maxLogStep shortened the update');
    if (clipped.length > 0) add('clipped', step, `norm² below 0 taken as 0: ${clipped.join(', ')}`);
    if (floored.length > 0) add('floored', step, `on minWeight: ${floored.join(', ')}`);
    if (held.length > 0) add('held', step, `within noise of the mean: ${held.join(', ')}`);
  }
  const events = [...marks.values()].sort((a, b) => a.step - b.step);
  return { events, counts };
}

function times(n: number): string {
  return n === 1 ? 'once' : `${n} times`;
}

function shorten(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

/** From the text of one run log, as it comes, to its runs. */
import { PikeError } from '../errors.js';
import { show } from '../validate.js';
import { brokenField, eventFields, isLine, isReadable, unknownFields, versionOf } from './check-event.js';
import { type EventName, LOG_VERSION, type RunEvent, type StartEvent, type UnknownEvent } from './events.js';
import type { LoggedRun, ReadRunLogOptions, RunLogNotice } from './logged-run.js';
import { RunInProgress } from './run-in-progress.js';

/** Longer than any line that is one; a file without line ends must not fill the memory. */
const LONGEST_LINE = 1 << 27;

export class RunLogParser {
  readonly #source: string;
  readonly #withSteps: boolean;
  readonly #notices: RunLogNotice[] = [];
  /** What has been told once. */
  readonly #told = new Set<string>();
  /** The run that a name stands for now. */
  readonly #open = new Map<string, RunInProgress>();
  readonly #runs: RunInProgress[] = [];
  #line = 0;
  /** The beginning of a line whose end has not come yet. */
  #rest = '';
  #tooLong = false;
  #ended = false;

  /** @param source what to call the file in notices and errors */
  constructor(source: string, { steps = true }: ReadRunLogOptions = {}) {
    this.#source = source;
    this.#withSteps = steps;
  }

  /** @throws PikeError `ERR_RUN_LOG` at a start line of a later format */
  push(text: string): void {
    const lines = text.split('\n');
    lines[0] = this.#rest + lines[0];
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(line);
    if (this.#rest.length > LONGEST_LINE) {
      this.#rest = '';
      this.#tooLong = true;
    }
  }

  /**
   * The end of the file.
   *
   * @throws PikeError `ERR_RUN_LOG` when there was no start line that can be used
   */
  end(): LoggedRun[] {
    if (!this.#ended && (this.#rest !== '' || this.#tooLong)) this.#takeLast();
    this.#ended = true;
    if (this.#runs.length === 0) throw this.#unusable();
    return this.#runs.map((run) => run.result(this.#source, this.#notices));
  }

  #take(text: string): void {
    this.#line++;
    if (this.#tooLong) {
      this.#tooLong = false;
      this.#notice('DAMAGED_LINE', 'is too long to be one, and is left out');
      return;
    }
    if (text === '' || text === '\r') return;
    // Most of a log, and not worth parsing where it is not wanted. RunLog writes the event first.
    if (!this.#withSteps && text.startsWith('{"event":"step"') && text.endsWith('}')) {
      // Unless it is cut off, and another line begins in the middle of it.
      if (text.lastIndexOf('{"event":"') === 0) return;
    }
    const value = parse(text, this.#line);
    if (value !== undefined) this.#takeValue(value);
    else this.#takeDamaged(text);
  }

  /** A crash may have cut a line off, and the next process gone on right behind it. */
  #takeDamaged(text: string): void {
    const behind = text.lastIndexOf('{"event":"');
    const value = behind > 0 ? parse(text.slice(behind), this.#line) : undefined;
    const good = isLine(value);
    this.#notice(
      'DAMAGED_LINE',
      `is damaged, and is left out${good ? ' but for the line that begins in the middle of it' : ''}`,
    );
    if (good) this.#takeValue(value);
  }

  #takeLast(): void {
    this.#line++;
    const value = this.#tooLong ? undefined : parse(this.#rest, this.#line);
    if (value !== undefined) this.#takeValue(value);
    else this.#notice('CUT_OFF', 'is the last and is cut off, so it is left out; all lines before it count');
  }

  #takeValue(value: unknown): void {
    if (!isLine(value)) {
      this.#notice('DAMAGED_LINE', 'is no line of a run log, and is left out');
      return;
    }
    const { event, run } = value;
    if (event === 'start') {
      this.#takeStart(value);
      return;
    }
    const runInProgress = this.#open.get(run);
    if (!runInProgress) {
      this.#once(
        'NO_START',
        `run ${run}`,
        `belongs to run ${show(run)}, which has no start line before it; lines of it are left out`,
      );
      return;
    }
    if (event === 'step' && !this.#withSteps) return;
    if (!Object.hasOwn(eventFields, event)) {
      this.#once(
        'UNKNOWN_EVENT',
        `event ${event}`,
        `is of an event ${show(event)} that this release does not know; it is kept among the others`,
      );
      runInProgress.takeOther(value as unknown as UnknownEvent);
      return;
    }
    if (this.#isSound(value, event as EventName, runInProgress.tasks))
      runInProgress.take(value as unknown as RunEvent);
  }

  #takeStart(value: Readonly<Record<string, unknown>> & { run: string; step: number }): void {
    const version = versionOf(value);
    if (!isReadable(version))
      throw new PikeError(
        'ERR_RUN_LOG',
        `${this.#source}, line ${this.#line}: this log is of format version ${show(version)}, but this release reads versions 1 to ` +
          `${LOG_VERSION}; a later one of pike-mixer wrote it and can read it.`,
      );
    const tasks = Array.isArray(value.tasks) ? (value.tasks as string[]) : [];
    if (!this.#isSound(value, 'start', tasks)) return;
    const start = value as unknown as StartEvent;
    const { run: name } = start;
    const before = this.#open.get(name);
    if (before?.goesOnWith(start)) {
      const again = before.resume(start);
      if (again > 0)
        this.#notice(
          'RESUMED_EARLIER',
          `goes on with run ${show(name)} from step ${start.step}: ${again === 1 ? 'an event that was logged after that step is' : `${again} events that were logged after that step are`} left out`,
        );
      return;
    }
    const number = this.#runs.filter((run) => run.name === name).length + 1;
    if (before)
      this.#notice(
        'SAME_NAME',
        `starts a new run under the name ${show(name)}, which an earlier one has already; it is called ${show(`${name} #${number}`)}`,
      );
    const run = new RunInProgress(start, number);
    this.#open.set(name, run);
    this.#runs.push(run);
  }

  #isSound(value: Readonly<Record<string, unknown>>, event: EventName, tasks: readonly string[]): boolean {
    const broken = brokenField(value, event, tasks);
    if (broken !== null) {
      this.#notice(
        'DAMAGED_LINE',
        `is of event '${event}', but its ${broken} is ${show(value[broken])}; it is left out`,
      );
      return false;
    }
    for (const field of unknownFields(value, event))
      this.#once(
        'UNKNOWN_FIELD',
        `field ${event} ${field}`,
        `has a field ${show(field)} in event '${event}' that this release does not know; it is kept`,
      );
    return true;
  }

  #unusable(): PikeError {
    const found = this.#notices[0];
    const why =
      this.#line === 0
        ? 'it is empty'
        : found
          ? found.message
          : `none of its ${this.#line} lines begins a run`;
    return new PikeError(
      'ERR_RUN_LOG',
      `${this.#source} is no run log that can be used: it has no sound start line (${why}). A run log is what RunLog writes.`,
    );
  }

  #once(code: RunLogNotice['code'], what: string, message: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#notice(code, message);
  }

  #notice(code: RunLogNotice['code'], message: string): void {
    const notice = { code, message: `line ${this.#line} ${message}`, line: this.#line, source: this.#source };
    this.#notices.push(notice);
  }
}

/** undefined when it is no JSON. */
function parse(text: string, line: number): unknown {
  try {
    // Some editors put a mark of the byte order before the first line.
    return JSON.parse(line === 1 && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

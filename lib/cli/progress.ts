/**
 * How far a long command has got, on the standard error: a bar that is redrawn on a terminal, and otherwise (a file, a
 * CI log) a line now and then. What takes less than two seconds shows nothing lasting.
 */
import { SingleBar } from 'cli-progress';
import type { Io } from './io.js';
import { printable } from './text.js';

export interface Progress {
  /** @param done so much of `total` @param text what is being done, such as 'float32, 8 rows' */
  update(done: number, text?: string): void;
  /** To be called in a `finally`: gives the cursor back. */
  stop(): void;
}

/** Between two lines where there is no terminal, and before the first. */
const SECONDS_BETWEEN_LINES = 2;

/** Signals that end a command: the cursor is given back before. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** @param total what `update` counts to, > 0 @param now seconds of any clock */
export function createProgress(
  io: Io,
  total: number,
  now: () => number = () => performance.now() / 1000,
): Progress {
  return io.terminal ? bar(io, total, now) : lines(io, total, now);
}

function bar(io: Io, total: number, now: () => number): Progress {
  const started = now();
  const single = new SingleBar({
    // All that the bar asks of a stream.
    stream: { isTTY: true, columns: io.columns, write: (text: string) => io.err(text) } as never,
    format: '{bar} {percentage} %  {left}  {text}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    // Its own way of it takes the signal, and the command goes on.
    gracefulExit: false,
    fps: 8,
  });
  const stop = () => {
    for (const signal of ENDING) process.off(signal, onSignal);
    single.stop();
  };
  const onSignal = (signal: NodeJS.Signals) => {
    stop();
    process.kill(process.pid, signal);
  };
  for (const signal of ENDING) process.on(signal, onSignal);
  single.start(total, 0, { left: '', text: '' });
  return {
    update: (done, text = '') =>
      single.update(done, { left: left(now() - started, done, total), text: printable(text) }),
    stop,
  };
}

function lines(io: Io, total: number, now: () => number): Progress {
  const started = now();
  let last = started;
  return {
    update(done, text = '') {
      const time = now();
      if (time - last < SECONDS_BETWEEN_LINES) return;
      last = time;
      const percentage = `${Math.floor((100 * done) / total)} %`;
      io.err(
        [percentage, left(time - started, done, total), printable(text)].filter(Boolean).join('  ') + '\n',
      );
    },
    stop() {},
  };
}

function left(seconds: number, done: number, total: number): string {
  return done > 0 ? `${formatSeconds((seconds * (total - done)) / done)} left` : '';
}

/** As '45 s' or '3 min 20 s', rounded up. */
export function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

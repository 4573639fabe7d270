import { SingleBar } from 'cli-progress';

/** What a training step has to say. */
export interface StepNews {
  /** Which run this is, e.g. `pike, seed 1`. */
  run: string;
  loss: number;
  tasks: readonly string[];
  weights: ArrayLike<number>;
}

export interface Progress {
  /** Call after every training step of every run. */
  step(news: StepNews): void;
  stop(): void;
}

/** Lines of a run when there is no terminal to redraw. */
const linesPerRun = 10;

/**
 * Shows how far all runs together have got: a bar that is redrawn on a terminal, and otherwise (a file, a CI
 * log) a line now and then. It writes to `stream`, so the results alone go to the standard output.
 */
export function createProgress(
  size: { runs: number; steps: number },
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const total = size.runs * size.steps;
  const every = Math.max(1, Math.floor(size.steps / linesPerRun));
  const started = performance.now();
  let done = 0;
  const timeLeft = () => formatSeconds((((performance.now() - started) / 1000) * (total - done)) / done);

  if (!stream.isTTY)
    return {
      step(news) {
        done++;
        const step = ((done - 1) % size.steps) + 1;
        if (step % every !== 0 && step !== size.steps) return;
        stream.write(
          `${news.run}: step ${step}/${size.steps}, loss ${news.loss.toFixed(3)}, ` +
            `weights ${formatWeights(news)}, ${timeLeft()} left\n`,
        );
      },
      stop() {},
    };

  const bar = new SingleBar({
    stream,
    format: '{bar} {percentage} %  {left} left  {run}  loss {loss}  {weights}',
    barCompleteChar: '█',
    barIncompleteChar: '░',
    barsize: 20,
    hideCursor: true,
    clearOnComplete: true,
    fps: 8,
  });
  bar.start(total, 0, { left: '–', run: '', loss: '–', weights: '' });
  return {
    step(news) {
      done++;
      bar.update(done, {
        left: timeLeft(),
        run: news.run,
        loss: news.loss.toFixed(3),
        weights: formatWeights(news),
      });
    },
    stop() {
      bar.stop();
    },
  };
}

/** `prose .45  log .31` */
export function formatWeights({ tasks, weights }: Pick<StepNews, 'tasks' | 'weights'>): string {
  return tasks.map((task, k) => `${task} ${weights[k]!.toFixed(2).replace(/^0/, '')}`).join('  ');
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.ceil(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

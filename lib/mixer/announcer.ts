/** How a Mixer tells of things: by events, and what nobody listens for but should be known by warnings of the process. */
import type { EventEmitter } from 'node:events';
import { cudaStatusLater } from '../backends/cuda-status.js';
import type { MixerEvents, MixerWarning, UpdateReport } from './report.js';
import type { Warning } from './standing-conditions.js';

/** A process is told once that its GPU cannot be used. */
let cudaTold = false;

export class Announcer {
  readonly #mixer: EventEmitter<MixerEvents> & { readonly step: number };

  constructor(mixer: EventEmitter<MixerEvents> & { readonly step: number }) {
    this.#mixer = mixer;
  }

  /** An error in a listener is the listener's: it must not look like a failed call of ours. */
  tell<E extends keyof MixerEvents>(event: E, payload: MixerEvents[E][0]): void {
    try {
      (this.#mixer as EventEmitter).emit(event, payload);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  warn(code: MixerWarning['code'], message: string): void {
    if (this.#isHeard()) this.tell('warning', { code, message, step: this.#mixer.step });
    else process.emitWarning(message, { type: 'PikeMixerWarning', code });
  }

  /** What was missed, what begins to hold with this update, and the report. */
  tellOfUpdate(report: UpdateReport, acted: boolean, warnings: readonly Warning[]): void {
    const { step, missed } = report;
    for (const miss of missed) this.tell('skip', { step, ...miss });
    if (!acted) {
      const reasons = missed.map(({ task, reason }) => `${task}: ${reason}`).join('; ');
      this.warn(
        'WARN_NOTHING_MEASURED',
        `No task could be measured at step ${step}, so the weights stay (${reasons}).`,
      );
    }
    for (const { code, message } of warnings) this.warn(code, message);
    this.tell('update', report);
  }

  /** A warning from a constructor waits until its caller had the chance to listen. */
  warnLater(code: MixerWarning['code'], message: string): void {
    queueMicrotask(() => this.warn(code, message));
  }

  /**
   * Says why no GPU can be used, once that is known, where it comes as a surprise: there is a driver. A machine without
   * one, and a build without CUDA, are as they are meant to be: `mixer.backend.reason` holds it, and so does the error of
   * whoever has a gradient on a GPU.
   */
  async warnOfCuda(): Promise<void> {
    const { compiled, driver, usable, reason } = await cudaStatusLater();
    if (!compiled || driver === false || usable) return;
    const heard = this.#isHeard();
    if (!heard && cudaTold) return;
    if (!heard) cudaTold = true;
    this.warn(
      'WARN_CUDA_UNAVAILABLE',
      `CUDA cannot be used, so only gradients in host memory can be measured, on the CPU: ${reason}.`,
    );
  }

  #isHeard(): boolean {
    return this.#mixer.listenerCount('warning') > 0;
  }
}

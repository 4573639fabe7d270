/**
 * 'auto': gradients are measured where they lie. Those in host memory go to the CPU: a GPU would have to be sent every
 * byte first, and the CPU has read it by then. Those in the memory of a GPU go to that GPU, which is not asked for
 * before the first of them comes.
 */
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import type { Place } from '../gradients/layout.js';
import type { Backend } from './backend.js';
import { createCudaBackend } from './cuda.js';
import { cudaStatusLater } from './cuda-status.js';
import { loadAddon } from './load-addon.js';
import { assertForGpu } from './memory.js';
import type { BackendSource } from './source.js';

export class AutoSource implements BackendSource {
  readonly #host: Backend;
  #current: Backend;

  /** @param host the backend for gradients in host memory */
  constructor(host: Backend) {
    this.#host = host;
    this.#current = host;
  }

  get current(): Backend {
    return this.#current;
  }

  assertTakes(row: GradientView, preconditioner: GradientView | null, name: string): void {
    if (row.memory === 'device') assertForGpu(row, preconditioner, name);
  }

  async open(place: Place): Promise<Backend> {
    this.#current = place.memory === 'host' ? this.#host : await openGpu(place.device);
    return this.#current;
  }
}

async function openGpu(device: number): Promise<Backend> {
  const status = await cudaStatusLater();
  if (!status.usable)
    throw new PikeError(
      'ERR_NO_BACKEND',
      `Gradients in the memory of a GPU cannot be measured: ${status.reason}.`,
    );
  return createCudaBackend(loadAddon().addon, status, device, 'gradients are in the memory of this GPU');
}

/**
 * Which backend computes, and why. `auto` never falls back in silence: the reason names what was not to be had.
 */
import { PikeError } from '../errors.js';
import type { GradientView } from '../gradients/gradient.js';
import type { Place } from '../gradients/layout.js';
import { requireOneOf, requirePositiveInteger } from '../validate.js';
import { AutoSource } from './auto.js';
import type { Backend } from './backend.js';
import { createCpuBackend } from './cpu.js';
import { type CudaAddon, createCudaBackend } from './cuda.js';
import { type CudaStatus, cudaStatus } from './cuda-status.js';
import { loadAddon } from './load-addon.js';
import { assertForGpu, hostView } from './memory.js';
import { createReferenceBackend } from './reference.js';
import type { BackendSource } from './source.js';

/** 'auto' measures gradients where they lie: those in host memory on the CPU, those of a GPU on that GPU. */
export type BackendChoice = 'auto' | 'cpu' | 'cuda' | 'reference';

export interface SelectedBackend {
  readonly source: BackendSource;
  /** Why this is not what one would expect, or null: a caller must be told. */
  readonly fallback: string | null;
}

/** @throws PikeError `ERR_NO_BACKEND` with every reason when the one asked for by name cannot be had */
export function selectBackend(
  choice: BackendChoice,
  options: { threads?: number | undefined } = {},
): SelectedBackend {
  requireOneOf('backend', choice, ['auto', 'cpu', 'cuda', 'reference'] as const);
  const threads =
    options.threads === undefined ? undefined : requirePositiveInteger('threads', options.threads);
  if (choice === 'reference') return { source: new HostSource(createReferenceBackend()), fallback: null };
  if (choice === 'cuda') return { source: new CudaSource(loadAddon().addon, cudaStatus()), fallback: null };
  const cpu = createCpuBackend({ threads, byName: choice === 'cpu' });
  if (choice === 'cpu') {
    if (!('unavailable' in cpu)) return { source: new HostSource(cpu), fallback: null };
    throw new PikeError('ERR_NO_BACKEND', `backend 'cpu' cannot be had: ${cpu.unavailable}`);
  }
  if (!('unavailable' in cpu)) return { source: new AutoSource(cpu), fallback: null };
  const reason = `the native addon cannot be used, so the slow TypeScript reference computes: ${cpu.unavailable}`;
  return { source: new AutoSource(createReferenceBackend(reason)), fallback: reason };
}

/** A backend for host memory alone, asked for by name. */
class HostSource implements BackendSource {
  constructor(readonly current: Backend) {}

  assertTakes(row: GradientView, _preconditioner: GradientView | null, name: string): void {
    hostView(row, name, this.current.name);
  }

  async open(): Promise<Backend> {
    return this.current;
  }
}

/** The GPUs, asked for by name: gradients of a GPU go to that one, those in host memory are copied to GPU 0. */
export class CudaSource implements BackendSource {
  readonly #addon: CudaAddon | null;
  readonly #status: CudaStatus;
  #current: Backend;

  constructor(addon: CudaAddon | null, status: CudaStatus) {
    this.#addon = addon;
    this.#status = status;
    this.#current = this.#backendOf(0);
  }

  get current(): Backend {
    return this.#current;
  }

  assertTakes(row: GradientView, preconditioner: GradientView | null, name: string): void {
    assertForGpu(row, preconditioner, name);
  }

  async open(place: Place): Promise<Backend> {
    this.#current = this.#backendOf(place.memory === 'device' ? place.device : 0);
    return this.#current;
  }

  #backendOf(device: number): Backend {
    return createCudaBackend(this.#addon, this.#status, device, 'asked for by name');
  }
}

/**
 * Which backend computes, and why. `auto` never falls back in silence: the reason names what was not to be had.
 */
import { PikeError } from '../errors.js';
import { requireOneOf, requirePositiveInteger } from '../validate.js';
import type { Backend } from './backend.js';
import { createCpuBackend, cudaStatus } from './native.js';
import { createReferenceBackend } from './reference.js';

/** 'auto' takes the best one there is for the memory that the gradients lie in. */
export type BackendChoice = 'auto' | 'cpu' | 'cuda' | 'reference';

export interface SelectedBackend {
  readonly backend: Backend;
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
  if (choice === 'reference') return { backend: createReferenceBackend(), fallback: null };
  if (choice === 'cuda')
    throw new PikeError('ERR_NO_BACKEND', `backend 'cuda' cannot be had: ${cudaStatus().reason}`);
  const cpu = createCpuBackend({ threads });
  if (!('unavailable' in cpu)) return { backend: cpu, fallback: null };
  if (choice === 'cpu')
    throw new PikeError('ERR_NO_BACKEND', `backend 'cpu' cannot be had: ${cpu.unavailable}`);
  const reason = `the native addon could not be loaded, so the slow TypeScript reference computes: ${cpu.unavailable}`;
  return { backend: createReferenceBackend(reason), fallback: reason };
}

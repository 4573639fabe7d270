/** Which backend is verified. */
import type { Backend } from '../backends/backend.js';
import { type BackendChoice, selectBackend } from '../backends/select.js';

export interface Subject {
  readonly backend: Backend;
  /** The same on so many threads; null where that makes no difference. */
  readonly withThreads: ((threads: number) => Backend) | undefined;
}

/** @throws PikeError `ERR_NO_BACKEND` with every reason */
export function openSubject(choice: Exclude<BackendChoice, 'auto'>): Subject {
  const { current } = selectBackend(choice).source;
  const withThreads = (threads: number) => selectBackend(choice, { threads }).source.current;
  return { backend: current, withThreads: choice === 'cpu' ? withThreads : undefined };
}

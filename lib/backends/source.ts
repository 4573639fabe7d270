/** Where backends come from: one for all gradients, or another for each place that they lie in. */
import type { GradientView } from '../gradients/gradient.js';
import type { Place } from '../gradients/layout.js';
import type { Backend } from './backend.js';

/** Where backends come from: which one it is may depend on where the gradients lie. */
export interface BackendSource {
  /** The one in use: where gradients were measured last. Before any came, where those of the host (or of GPU 0) would be. */
  readonly current: Backend;
  /** @throws PikeError `ERR_DTYPE` for gradients that no backend of this source reads */
  assertTakes(row: GradientView, preconditioner: GradientView | null, name: string): void;
  /** @throws PikeError `ERR_NO_BACKEND`, `ERR_INVALID_OPTION` when there is no such GPU */
  open(place: Place): Promise<Backend>;
}

/** The addon, without which nothing here can be measured. */
import { loadAddon, type NativeAddon } from '../../dist/backends/load-addon.js';
import { RefusedError } from '../part-process.js';

/** @throws RefusedError with every reason why there is no addon */
export function requireAddon(): NativeAddon {
  const { addon, reasons } = loadAddon();
  if (!addon) throw new RefusedError(reasons.join('; '));
  return addon;
}

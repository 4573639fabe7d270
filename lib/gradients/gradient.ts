/**
 * What comes in: gradients in any kind of memory, checked once and described for the backends.
 */
import { PikeError } from '../errors.js';
import {
  type DeviceGradient,
  type DeviceView,
  isDeviceTensor,
  viewDeviceTensors,
} from './device-gradient.js';
import { type HostGradient, type HostView, viewHostTensors } from './host-gradient.js';

/** A gradient of d parameters, in host memory or in that of a GPU. */
export type Gradient = HostGradient | DeviceGradient;

/** A checked gradient: a layout and the memory that holds it. No element has been read. */
export type GradientView = HostView | DeviceView;

/**
 * Checks a gradient without reading its elements.
 *
 * @param gradient what the caller handed in
 * @param name how a message calls it, such as "rows[0][1]"
 * @throws PikeError `ERR_DTYPE` for memory of another kind or of several kinds, `ERR_SHAPE` when it has no
 *   elements, `ERR_DETACHED` when its buffer is detached or resizable, `ERR_INVALID_OPTION` for what can be no
 *   address of a GPU
 */
export function viewGradient(gradient: unknown, name: string): GradientView {
  const list = Array.isArray(gradient) ? Array.from(gradient as unknown[]) : [gradient];
  if (list.length === 0) throw new PikeError('ERR_SHAPE', `${name} is an empty list; expected its tensors.`);
  const nameOf = (t: number) => (Array.isArray(gradient) ? `${name}[${t}]` : name);
  const onDevice = list.map(isDeviceTensor);
  const stray = onDevice.indexOf(!onDevice[0]);
  if (stray >= 0) {
    const [there, elsewhere] = onDevice[0] ? [0, stray] : [stray, 0];
    throw new PikeError(
      'ERR_DTYPE',
      `${nameOf(there)} is a tensor in the memory of a GPU, and ${nameOf(elsewhere)} is none; all tensors must lie in one memory.`,
    );
  }
  const checked = onDevice[0] ? viewDeviceTensors(list, nameOf) : viewHostTensors(list, nameOf);
  if (checked.length === 0)
    throw new PikeError('ERR_SHAPE', `${name} has no elements; expected one number per model parameter.`);
  return checked;
}

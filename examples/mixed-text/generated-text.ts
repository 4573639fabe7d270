import { Random } from './random.js';

/**
 * Two sources that are made up, always the same: one that cannot be learned and one that is learned quickly.
 * PiKE should move samples away from both once they have gone flat.
 */

/** Random bytes in base64, without line breaks: no model gets below ln 64 = 4.16 nats per byte. */
export function base64Noise(length: number): Uint8Array[] {
  const random = Random.named('base64 noise');
  const noise = Buffer.from(Uint8Array.from({ length: Math.ceil((length * 3) / 4) }, () => random.bits()));
  return [Buffer.from(noise.toString('base64').slice(0, length))];
}

const methods = ['GET', 'GET', 'GET', 'POST'];
const paths = ['/', '/index.html', '/api/items', '/api/orders', '/assets/app.js', '/health'];
const statuses = ['200', '200', '200', '200', '304', '404'];

/**
 * The log of a web server: a fixed form, with little in it that is news. It has no time of day, because a
 * clock that advances would make the part held out unlike the part trained on.
 */
export function serverLog(length: number): Uint8Array[] {
  const random = Random.named('server log');
  let log = '';
  while (log.length < length) {
    const request = `${random.pick(methods)} ${random.pick(paths)} HTTP/1.1`;
    const milliseconds = random.integer(10);
    log += `[info] web-${1 + random.integer(2)} answered "${request}" with status ${random.pick(statuses)} in ${milliseconds} ms\n`;
  }
  return [Buffer.from(log.slice(0, length))];
}

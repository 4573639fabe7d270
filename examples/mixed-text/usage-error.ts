/** A mistake in how the demo was called: shown as one line, without a stack, and the exit code is 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

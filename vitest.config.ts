import { defineConfig } from 'vitest/config';

/** `vitest run --mode long` (npm run test:kernels) tests more than every `npm test` has time for. */
export default defineConfig(({ mode }) => ({
  test: {
    include: ['test/**/*.test.ts'],
    // Nothing that the long form tests depends on time, so files may run side by side.
    ...(mode === 'long' ? { env: { PIKE_TEST_LONG: '1' }, maxWorkers: 2 } : {}),
    testTimeout: mode === 'long' ? 900_000 : 60_000,
    // Native code is tested here: a crash must take one child process with it, not the whole run.
    pool: 'forks',
  },
}));

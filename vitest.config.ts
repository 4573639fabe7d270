import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    // Native code is tested here: a crash must take one child process with it, not the whole run.
    pool: 'forks',
  },
});

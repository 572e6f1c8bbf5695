/* How the tests run. Here, and not where vitest looks by itself, because the top level of the
 * repository is fixed: `npx vitest run --config .vitest.config.ts test/unit/log`, say. */

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // A process per file: a test that starts threads must not share them with the next one.
    pool: 'forks',
    maxWorkers: 2,
    // Generous: a test waits for what it needs, and a slow machine is no failure.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
  },
});

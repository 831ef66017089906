import { defineConfig } from 'vitest/config';
import { fixtures, outside } from './test/everywhere.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    provide: { fixtures, outside },
    // Every file owns a device; more files at once than this only compete for a software adapter's cores.
    maxWorkers: 2,
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

import { env } from 'node:process';
import { configDefaults, defineConfig } from 'vitest/config';
import { fixtures, outside, WITH_A_BROWSER } from './test/everywhere.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [...configDefaults.exclude, ...WITH_A_BROWSER],
    provide: { fixtures, outside },
    // Every file owns a device; more files at once than this only compete for a software adapter's cores.
    maxWorkers: 2,
    pool: 'forks',
    // Mesa's software adapter compiles for half as long where its vectors are half as wide, and most of the tests is compiling.
    // A width that is set goes first: 256 is what it takes by itself.
    env: { LP_NATIVE_VECTOR_WIDTH: env.LP_NATIVE_VECTOR_WIDTH ?? '128' },
    // Ten times what the slowest test takes on two idle cores: a busy machine is slow, not wrong.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { configDefaults, defineConfig } from 'vitest/config';
import { chosenFixtures, fixtures, outside, PACKED, PACKED_IN_A_PAGE, PAGES } from './test/everywhere.ts';

/** What holds for the tests under Node and under Deno. */
export const shared = {
  provide: { fixtures, chosenFixtures, outside },
  // Every file owns a device; more files at once than this only compete for a software adapter's cores.
  maxWorkers: 2,
  pool: 'forks',
  // Mesa's software adapter compiles for half as long where its vectors are half as wide, and most of the tests is compiling.
  // A width that is set goes first: 256 is what it takes by itself.
  env: {
    LP_NATIVE_VECTOR_WIDTH: env.LP_NATIVE_VECTOR_WIDTH ?? '128',
    // What a user's commands have kept of the adapter is no part of a test.
    XDG_CACHE_HOME: join(tmpdir(), 'ucgm-test-cache'),
  },
  // Ten times what the slowest test takes on two idle cores: a busy machine is slow, not wrong.
  testTimeout: 600_000,
  hookTimeout: 600_000,
} as const;

/** Tests that compile many shaders and run each once: left as LLVM gets them, they compile in a quarter to four fifths of the time. */
const COMPILING = ['test/{alone,autograd,kernel,kernels,matrices,written_out}/*.test.ts'];

export default defineConfig({
  test: {
    ...shared,
    projects: [
      {
        extends: true,
        test: { name: 'kernels', include: COMPILING, env: { ...shared.env, GALLIVM_PERF: env.GALLIVM_PERF ?? 'nopt' } },
      },
      {
        extends: true,
        test: {
          name: 'sources',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...COMPILING, ...PACKED, ...PACKED_IN_A_PAGE, ...PAGES],
        },
      },
      // The package is packed once for all of its tests.
      {
        extends: true,
        test: { name: 'package', include: PACKED, exclude: PACKED_IN_A_PAGE, globalSetup: 'test/package/pack.ts' },
      },
    ],
  },
});

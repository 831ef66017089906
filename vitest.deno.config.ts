import { defineConfig } from 'vitest/config';
import { EVERYWHERE } from './test/everywhere.ts';
import { shared } from './vitest.config.ts';

/** npm run test:deno: the same tests on another WebGPU, wgpu and its compiler naga. */
export default defineConfig({ test: { ...shared, include: [...EVERYWHERE, 'test/written_out/*.test.ts'] } });

/** All of it as one module, for a page without a build step: `import { kernels } from './ucgm-webgpu.min.js'`. */
export * as device from './device/index.ts';
export * as kernels from './kernels/index.ts';
export * as models from './models/index.ts';
export * as nn from './nn/index.ts';
export * as run from './run/index.ts';
export * as ucgm from './ucgm/index.ts';

// npm run size: what an app downloads that imports a kernel, a family, an entry or all of it: minified by esbuild, gzip -9. A kernel
// brings the runtime along, 7.2 kB that all kernels share.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Kernels alone: entry, name, and the most they may take. */
const KERNELS = [
  ['columns', 'copyColumns', '8 kB'],
  ['norm', 'norm', '11.5 kB'],
  ['softmax', 'softmax', '9.75 kB'],
  ['activation', 'activation', '9 kB'],
  ['matmul', 'matmul', '16.5 kB'],
  ['attention', 'attention', '16.5 kB'],
];

/** Whole families: forward, backward, and every variant. */
const FAMILIES = {
  activation: '12.25 kB',
  attention: '22.25 kB',
  attention_matrix: '14.5 kB',
  cast: '8.75 kB',
  columns: '8 kB',
  combine: '8.5 kB',
  conv: '18.5 kB',
  conv_matrix: '18.25 kB',
  embedding: '9.75 kB',
  filter: '8.75 kB',
  group_norm: '11.5 kB',
  largest: '8.75 kB',
  lincomb: '8.75 kB',
  linear_attention: '10 kB',
  loss: '10 kB',
  matmul: '16.5 kB',
  matmul_matrix: '22.25 kB',
  norm: '11.5 kB',
  norm_backward: '14.25 kB',
  optimizer: '13 kB',
  patch: '9 kB',
  pixel_shuffle: '8.5 kB',
  qk_norm_rope: '12 kB',
  random: '11 kB',
  reduce: '11.5 kB',
  residual: '11 kB',
  resize: '8 kB',
  softmax: '11.5 kB',
  weight_norm: '10.5 kB',
  window: '9.75 kB',
  wire: '9 kB',
};

/** Entries, all of each. */
const ENTRIES = {
  define: ['kernel/index', '9 kB'],
  kernels: ['kernels/index', '101.25 kB'],
  ops: ['autograd/index', '110.5 kB'],
  nn: ['nn/index', '140.5 kB'],
  models: ['models/index', '130.25 kB'],
  ucgm: ['ucgm/index', '65.25 kB'],
  run: ['run/index', '255 kB'],
};

/** Kernels as `ucgm kernel` writes them, with their runtime and WGSL: options and dims, and the most that each may take. */
const ALONE = {
  norm: ['{ kind: layer, weight: true, bias: true, scale: true, shift: true }', '{ rows: 4096, cols: 384 }', '5 kB'],
  softmax: ['{}', '{ rows: 4096, cols: 384 }', '5 kB'],
  conv2d: ['{ bias: true, act: silu }', '{ m: 4096, n: 256, k: 2304, groups: 1, depth: 256 }', '7 kB'],
  matmul: ['{ layout: nt, bias: true, act: gelu }', '{ m: 512, n: 512, k: 512 }', '6.25 kB'],
  attention: ['{ headDim: 64 }', '{ batch: 1, heads: 8, n: 1024, head_dim: 64 }', '7.5 kB'],
};
const folder = mkdtempSync(join(tmpdir(), 'ucgm-size-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const written = (name, [options, dims, limit]) => {
  const path = join(folder, `${name}.js`);
  execFileSync(process.execPath, [
    'dist/ucgm.mjs',
    'kernel',
    name,
    '--options',
    options,
    '--dims',
    dims,
    '--out',
    path,
  ]);
  return { name: `${name} alone`, path, import: '{ create }', limit, gzip: true };
};

const unlisted = readdirSync('dist/src/kernels')
  .filter((file) => file.endsWith('.js') && file !== 'index.js' && !file.endsWith('_tile.js'))
  .map((file) => file.slice(0, -3))
  .filter((family) => !(family in FAMILIES));
if (unlisted.length > 0) throw new Error(`${unlisted.join(', ')}: no limit. Fix: add it to .size-limit.mjs`);

const sized = (name, module, names, limit) => ({
  name,
  path: `dist/src/${module}.js`,
  import: names,
  limit,
  gzip: true,
});

export default [
  sized('runtime', 'kernel/index', '{ defineKernel }', '7.5 kB'),
  ...KERNELS.map(([family, name, limit]) => sized(`kernel ${name}`, `kernels/${family}`, `{ ${name} }`, limit)),
  ...Object.entries(FAMILIES).map(([family, limit]) => sized(`family ${family}`, `kernels/${family}`, '*', limit)),
  ...Object.entries(ALONE).map(([name, asked]) => written(name, asked)),
  ...Object.entries(ENTRIES).map(([entry, [module, limit]]) => sized(`entry ${entry}`, module, '*', limit)),
  { name: 'one file', path: 'dist/ucgm-webgpu.min.js', limit: '261.75 kB', gzip: true },
];

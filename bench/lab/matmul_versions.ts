import { type Caps, defineKernel } from '../../src/kernel/index.ts';
import {
  chooseMatmul,
  type MatmulLayout,
  type MatmulShape,
  type MatmulTile,
  matmul,
} from '../../src/kernels/matmul.ts';
import { reflect } from '../../src/reflect/index.ts';

/** One way to multiply, on the way from naive to fast. */
export interface Version {
  readonly name: string;
  /** Layouts it was written for; all when left out. */
  readonly layouts?: readonly MatmulLayout[];
  readonly prepare: (
    device: GPUDevice,
    layout: MatmulLayout,
    shape: MatmulShape,
    caps: Caps,
  ) => ReturnType<typeof matmul.prepare>;
}

interface Sketch {
  /** Rows and columns (8 apart: f32 reads; or quads of neighbours: vec4f reads of B) an invocation. */
  tm: number;
  tn: number;
  /** Steps of k an iteration. */
  unroll: number;
  vecB: boolean;
  /** Lanes read neighbouring k of A and pass them on with subgroupBroadcast, instead of every lane reading every word. */
  broadcast: boolean;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** WGSL of a bare product with every variable written out; A [m, k] or, for f32 reads only, [k, m]; m, n, k multiples of the tile. */
function sketch(layout: MatmulLayout, s: Sketch): string {
  const rows = range(s.tm);
  const groups = range(s.vecB ? s.tn / 4 : s.tn);
  const type = s.vecB ? 'vec4f' : 'f32';
  const [aStart, aStep] = layout === 'tn' ? ['1u', 'dims.m'] : ['dims.k', '1u'];
  const [bStart, bStep] = layout === 'nt' ? ['dims.k', '1u'] : ['1u', 'dims.n'];
  const step = (u: number) => [
    ...groups.map((j) =>
      s.vecB
        ? `let b${u}_${j} = b[((kk + ${u}u) * dims.n + col0) / 4u + ${8 * j}u];`
        : `let b${u}_${j} = b[(col0 + ${8 * j}u) * ${bStart} + (kk + ${u}u) * ${bStep}];`,
    ),
    ...rows.flatMap((i) => [
      s.broadcast
        ? `let a${u}_${i} = subgroupBroadcast(mine${i}, ${u}u);`
        : `let a${u}_${i} = a[(row0 + ${i}u) * ${aStart} + (kk + ${u}u) * ${aStep}];`,
      ...groups.map((j) => `s${i}_${j} += a${u}_${i} * b${u}_${j};`),
    ]),
  ];
  return [
    `// A sketch of the lab.\n${s.broadcast ? 'enable subgroups;' : ''}`,
    'struct Dims { m: u32, n: u32, k: u32 }',
    '@group(0) @binding(0) var<storage, read> a: array<f32>;',
    `@group(0) @binding(1) var<storage, read> b: array<${type}>;`,
    `@group(0) @binding(5) var<storage, read_write> out: array<${type}>;`,
    '@group(0) @binding(7) var<uniform> dims: Dims;',
    '@compute @workgroup_size(8)',
    'fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_id) lid: vec3u) {',
    'let group = wid.x + wid.y * groups.x;',
    `if (group >= dims.m / ${s.tm}u * (dims.n / ${8 * s.tn}u)) { return; }`,
    `let tiles_n = dims.n / ${8 * s.tn}u;`,
    `let row0 = group / tiles_n * ${s.tm}u;`,
    `let col0 = group % tiles_n * ${8 * s.tn}u + lid.x${s.vecB ? ' * 4u' : ''};`,
    ...rows.flatMap((i) => groups.map((j) => `var s${i}_${j} = ${type}();`)),
    `for (var kk = 0u; kk < dims.k; kk += ${s.unroll}u) {`,
    ...(s.broadcast ? rows.map((i) => `let mine${i} = a[(row0 + ${i}u) * dims.k + kk + lid.x];`) : []),
    ...range(s.unroll).flatMap(step),
    '}',
    ...rows.flatMap((i) =>
      groups.map((j) =>
        s.vecB
          ? `out[((row0 + ${i}u) * dims.n + col0) / 4u + ${8 * j}u] = s${i}_${j};`
          : `out[(row0 + ${i}u) * dims.n + col0 + ${8 * j}u] = s${i}_${j};`,
      ),
    ),
    '}',
  ].join('\n');
}

function sketched(name: string, s: Sketch, layouts: readonly MatmulLayout[]): Version {
  return {
    name,
    layouts,
    prepare: (device, layout) => {
      const shader = reflect(sketch(layout, s), `lab ${layout} ${name}`);
      const family = defineKernel({
        shader,
        sizes: ({ m = 0, n = 0, k = 0 }) => ({ a: m * k, b: k * n, out: m * n }),
        grid: ({ m = 0, n = 0 }) => (m / s.tm) * (n / (8 * s.tn)),
        check: ({ m = 0, n = 0, k = 0 }) =>
          m % s.tm || n % (8 * s.tn) || k % s.unroll
            ? { what: 'the sketch handles whole tiles only', fix: 'choose another shape' }
            : undefined,
      });
      return family.prepare(device) as never;
    },
  };
}

function tiled(name: string, tile: (shape: MatmulShape, caps: Caps) => MatmulTile): Version {
  return {
    name,
    prepare: (device, layout, shape, caps) => matmul.prepare(device, { layout, tile: tile(shape, caps) }),
  };
}

const vecOf = ({ m, n, k }: MatmulShape) => ({ m: m % 4 === 0, n: n % 4 === 0, k: k % 4 === 0 });
const plain = (tm: number, tn: number, vec: boolean) =>
  tiled(`plain ${tm}x${tn}, ${vec ? 'vec4f' : 'f32'} reads`, (shape) => ({
    kind: 'plain',
    tm,
    tn,
    wgX: 8,
    wgY: 1,
    ...(vec && { vec: vecOf(shape) }),
  }));

export const versions: Version[] = [
  sketched('1x1', { tm: 1, tn: 1, unroll: 1, vecB: false, broadcast: false }, ['nn', 'nt', 'tn']),
  sketched('8x2, f32 reads', { tm: 8, tn: 2, unroll: 1, vecB: false, broadcast: false }, ['nn', 'nt', 'tn']),
  sketched('16x1, f32 reads', { tm: 16, tn: 1, unroll: 1, vecB: false, broadcast: false }, ['nn']),
  sketched('8x2, k unrolled by 4', { tm: 8, tn: 2, unroll: 4, vecB: false, broadcast: false }, ['nn']),
  plain(8, 4, true),
  plain(4, 8, true),
  plain(8, 8, false),
  plain(8, 8, true),
  plain(16, 8, true),
  plain(8, 16, true),
  plain(16, 16, true),
  plain(16, 4, true),
  sketched('8x8, vec4f, k unrolled by 2', { tm: 8, tn: 8, unroll: 2, vecB: true, broadcast: false }, ['nn']),
  sketched('8x4, vec4f, subgroupBroadcast of A', { tm: 8, tn: 4, unroll: 8, vecB: true, broadcast: true }, ['nn']),
  tiled('tiled 32x32x16', (shape) => ({ kind: 'tiled', qm: 1, qn: 1, vec: vecOf(shape) })),
  tiled('tiled 64x64x16', (shape) => ({ kind: 'tiled', qm: 2, qn: 2, vec: vecOf(shape) })),
  tiled('chosen', chooseMatmul),
];

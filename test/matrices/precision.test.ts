import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { float32ToHalf, type Kernel, MATRIX_FEATURE, PORTABLE } from '../../src/kernel/index.ts';
import { LARGEST_PARTS, largest } from '../../src/kernels/largest.ts';
import { type MatmulLayout, type MatmulTile, matmul } from '../../src/kernels/matmul.ts';
import {
  chooseMatrixMatmul,
  type MatrixMatmulOptions,
  type MatrixMatmulTile,
  matrixGluTile,
  matrixMatmul,
  type Precision,
} from '../../src/kernels/matmul_matrix.ts';
import { halves } from '../catalogue/case.ts';
import { relativeError } from '../catalogue/run.ts';
import { openDevice } from '../gpu.ts';
import { matmul as oracle, randn } from '../reference/index.ts';
import { emulatedMatmul } from './emulated.ts';

const STORAGE = 0x80 | 0x8 | 0x4;
const PLAIN: MatmulTile = { kind: 'plain', tm: 4, tn: 4, wgX: 8, wgY: 8 };

let device: Promise<GPUDevice> | undefined;
/** One with all its workgroup memory. */
const own = () => (device ??= openDevice({}));

/** The real family where the device can run it, else the emulated one. */
const familyOn = (gpu: GPUDevice) => (gpu.features.has(MATRIX_FEATURE) ? matrixMatmul : emulatedMatmul);

interface Problem {
  m: number;
  n: number;
  k: number;
  a: Float32Array<ArrayBuffer>;
  b: Float32Array<ArrayBuffer>;
}

function upload(gpu: GPUDevice, data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): GPUBuffer {
  const buffer = gpu.createBuffer({ size: Math.ceil(data.byteLength / 4) * 4, usage: STORAGE });
  const bytes = new Uint8Array(buffer.size);
  bytes.set(new Uint8Array(data.buffer));
  gpu.queue.writeBuffer(buffer, 0, bytes);
  return buffer;
}

/** a op b in one variant, its splits added up on the host; the ranges of f32x3 are the device's own. */
async function product(
  { m, n, k, a, b }: Problem,
  options: Omit<MatrixMatmulOptions, 'tile'> & { tile: MatrixMatmulTile },
  kChunk = k,
): Promise<Float32Array<ArrayBuffer>> {
  const gpu = await own();
  const half = options.dtype === 'f16';
  const [bufferA, bufferB] = [a, b].map((data) => upload(gpu, half ? float32ToHalf(data) : data)) as [
    GPUBuffer,
    GPUBuffer,
  ];
  const splits = Math.ceil(k / kChunk);
  const out = gpu.createBuffer({ size: 4 * splits * m * n, usage: STORAGE });
  const kernel = (await familyOn(gpu).create(gpu, { ...options, outDtype: 'f32' })) as Kernel;
  const encoder = gpu.createCommandEncoder();
  const pass = encoder.beginComputePass();
  const ranges = gpu.createBuffer({ size: 2 * 4 * LARGEST_PARTS, usage: STORAGE });
  const ranged = options.tile.kind === 'f32x3';
  for (const [x, count, offset] of ranged
    ? ([
        [bufferA, m * k, 0],
        [bufferB, k * n, 512],
      ] as const)
    : []) {
    const range = await largest.create(gpu, {}, { count });
    range.encode(pass, range.bind({ x, out: { buffer: ranges, offset, size: 512 } }, { count }));
  }
  const buffers = { a: bufferA, b: bufferB, out, ...(ranged && { ranges }) };
  kernel.encode(pass, kernel.bind(buffers as never, { m, n, k, k_chunk: kChunk } as never));
  pass.end();
  gpu.queue.submit([encoder.finish()]);
  const parts = new Float32Array(await readBuffer(gpu, out));
  for (const buffer of [bufferA, bufferB, out, ranges]) buffer.destroy();
  return new Float32Array(m * n).map((_, i) => {
    let sum = 0;
    for (let s = 0; s < splits; s++) sum += parts[s * m * n + i] as number;
    return sum;
  });
}

const VARIANTS: readonly { name: string; tile: MatrixMatmulTile; precision?: Precision; dtype?: 'f16' }[] = [
  { name: 'plain', tile: PLAIN },
  { name: 'plain, halves', tile: PLAIN, dtype: 'f16' },
  { name: 'tiled', tile: { kind: 'tiled', qm: 1, qn: 1 } },
  { name: 'tiled, halves', tile: { kind: 'tiled', qm: 1, qn: 1 }, dtype: 'f16' },
  { name: 'matrix', tile: { kind: 'matrix', tm: 2, tn: 2 }, precision: 'f16' },
  { name: 'matrix, halves', tile: { kind: 'matrix', tm: 2, tn: 2 }, precision: 'f16', dtype: 'f16' },
  { name: 'f32x3', tile: { kind: 'f32x3' }, precision: 'f32x3' },
];

describe('products in every precision', () => {
  const whole = (length: number, seed: number) =>
    Float32Array.from(randn(length, seed), (v) => Math.max(-4, Math.min(4, Math.round(2 * v))));
  const [m, n, k] = [37, 45, 333];
  const problem: Problem = { m, n, k, a: whole(m * k, 1), b: whole(k * n, 2) };

  for (const layout of ['nn', 'nt', 'tn'] satisfies MatmulLayout[]) {
    it(`give the same bits for whole numbers, ${layout}`, async () => {
      const exact = oracle({ ...problem, transA: layout === 'tn', transB: layout === 'nt' });
      // Each takes seconds to compile where matrices are emulated: halves in storage by one layout.
      for (const { name, ...variant } of VARIANTS.filter(({ dtype }) => layout === 'nt' || !dtype))
        for (const kChunk of [k, 96])
          expect(await product(problem, { layout, ...variant }, kChunk), `${name} by ${kChunk}`).toEqual(
            Float32Array.from(exact),
          );
    });
  }

  it('round f32 operands to f16 as a plain computation does', async () => {
    const random: Problem = {
      ...problem,
      a: Float32Array.from(randn(m * k, 3)),
      b: Float32Array.from(randn(k * n, 4)),
    };
    const exact = oracle({ ...random, transB: true });
    const plain = oracle({ ...random, a: halves(random.a), b: halves(random.b), transB: true });
    const ours = await product(random, { layout: 'nt', precision: 'f16', tile: { kind: 'matrix', tm: 2, tn: 2 } });
    expect(relativeError(ours, exact)).toBeLessThanOrEqual(2 * relativeError(plain, exact));
    expect(relativeError(ours, plain)).toBeLessThan(5e-6);
  });
});

/** Inputs by element (row, k): normal, of one sign, of scales that halves do not hold. */
const INPUTS: { readonly [name: string]: (v: number, row: number, i: number) => number } = {
  normal: (v) => v,
  positive: (v) => Math.abs(v),
  small: (v) => 1e-6 * v,
  large: (v) => 1e6 * v,
  'of many scales': (v, _, i) => v * 10 ** (-6 + (12 * ((i * 7919) % 997)) / 997),
  'rows of many scales': (v, row) => v * 10 ** (-6 + (12 * row) / 32),
};

describe('f32x3', () => {
  const tile: MatrixMatmulTile = { kind: 'f32x3', vec: { m: true, n: true, k: true } };
  for (const k of [384, 1536, 4608]) {
    it(`is as exact as sums of f32, k ${k}`, async () => {
      const [m, n] = [32, 32];
      for (const [name, of] of Object.entries(INPUTS)) {
        const a = Float32Array.from(randn(m * k, 5), (v, i) => of(v, Math.floor(i / k), i));
        const b = Float32Array.from(randn(n * k, 6), (v) => (name === 'positive' ? Math.abs(v) : v));
        const problem = { m, n, k, a, b };
        const exact = oracle({ ...problem, transB: true });
        const plain = relativeError(await product(problem, { layout: 'nt', tile: PLAIN }), exact);
        const ours = relativeError(await product(problem, { layout: 'nt', precision: 'f32x3', tile }), exact);
        expect(ours, `${name}: ${ours} where FMA gives ${plain}`).toBeLessThanOrEqual(1.5 * plain);
      }
    });
  }

  it('sums by FMA where a number is not finite: it spoils its row alone', async () => {
    const [m, n, k] = [33, 7, 40];
    const a = Float32Array.from(randn(m * k, 7));
    a[5 * k + 3] = Number.NaN;
    a[6 * k + 1] = Number.POSITIVE_INFINITY;
    const problem = { m, n, k, a, b: Float32Array.from(randn(n * k, 8), Math.abs) };
    const plain = await product(problem, { layout: 'nt', tile: PLAIN });
    expect(await product(problem, { layout: 'nt', precision: 'f32x3', tile: { kind: 'f32x3' } })).toEqual(plain);
  });

  it('takes zeros for zeros', async () => {
    const problem = { m: 3, n: 3, k: 9, a: new Float32Array(27), b: new Float32Array(27) };
    const zero = await product(problem, { layout: 'nn', precision: 'f32x3', tile: { kind: 'f32x3' } });
    expect(zero).toEqual(new Float32Array(9));
  });

  it('has no operands of f16', async () => {
    const gpu = await own();
    const options: MatrixMatmulOptions = { layout: 'nn', precision: 'f32x3', dtype: 'f16' };
    expect(() => matrixMatmul.prepare(gpu, options)).toThrow('precision f32x3 has operands of f16');
  });
});

const HOPPER = {
  ...PORTABLE,
  f16: true,
  subgroups: { least: 32, most: 32 },
  matrices: [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }],
  architecture: 'hopper',
  maxWorkgroupMemory: 49152,
};

describe('glu', () => {
  const refused = async (options: MatrixMatmulOptions) => {
    const gpu = await own();
    return () => matrixMatmul.prepare(gpu, { glu: true, ...options });
  };

  it('is refused beside what it does not go with', async () => {
    const matrix = { kind: 'matrix', tm: 2, tn: 2 } as const;
    expect(await refused({ layout: 'nn', tile: matrix })).toThrow('give glu with bias and pre alone');
    expect(await refused({ layout: 'nt', act: 'silu', tile: matrix })).toThrow('give glu with bias and pre alone');
    expect(await refused({ layout: 'nt', tile: { kind: 'f32x3' } })).toThrow('glu with a tile of f32x3');
    expect(await refused({ layout: 'nt', tile: PLAIN })).toThrow('glu without a tile of qn 2');
    expect(await refused({ layout: 'nt' })).toThrow('glu without a tile of qn 2');
  });

  it('has a tile on subgroup matrices where a product in f16 has one', () => {
    const caps = { ...HOPPER, subgroups: { least: 8, most: 32 } };
    const shape = { m: 8192, n: 2048, k: 384 };
    expect(matrixGluTile(shape, HOPPER)).toMatchObject({ kind: 'matrix', vec: { m: true, n: true, k: true } });
    expect(matrixGluTile(shape, caps)).toBeUndefined();
    expect(matrixGluTile({ ...shape, k: 16384 }, HOPPER)).toBeUndefined();
  });
});

describe('the choice of a precision', () => {
  const large = { m: 4096, n: 4096, k: 4096 };

  it('takes matrices where the device has them', () => {
    expect(chooseMatrixMatmul(large, 'f16', HOPPER).kind).toBe('matrix');
    expect(chooseMatrixMatmul(large, 'f32x3', HOPPER).kind).toBe('f32x3');
    expect(chooseMatrixMatmul(large, 'f32', HOPPER).kind).toBe('tiled');
    for (const precision of ['f16', 'f32x3'] as const)
      for (const caps of [
        PORTABLE,
        { ...HOPPER, f16: false },
        { ...HOPPER, matrices: [] },
        { ...HOPPER, subgroups: { least: 8, most: 32 } },
        { ...HOPPER, maxWorkgroupMemory: 8192 },
      ])
        expect(chooseMatrixMatmul(large, precision, caps).kind).toBe('tiled');
  });

  it('keeps to the workgroup memory that the device has', () => {
    const small = { ...HOPPER, maxWorkgroupMemory: 16384 };
    expect(chooseMatrixMatmul(large, 'f16', small)).toMatchObject({ kind: 'matrix', tm: 2, tn: 2 });
    expect(chooseMatrixMatmul(large, 'f32x3', small).kind).toBe('tiled');
  });

  it('sums a k that is too long for one sum in runs, of f32', () => {
    const long = { m: 64, n: 64, k: 16384, split: false };
    expect(chooseMatrixMatmul(long, 'f16', HOPPER)).toMatchObject({ kind: 'tiled', runs: true });
    expect(chooseMatrixMatmul(long, 'f32x3', HOPPER).kind).toBe('f32x3');
  });

  it('splits a tall product in whole steps that cover k', () => {
    for (const k of [16384, 8191, 511])
      for (const precision of ['f16', 'f32x3'] as const) {
        const { splits, kChunk } = chooseMatrixMatmul({ m: 192, n: 192, k }, precision, HOPPER);
        expect(splits > 1).toBe(k > 1024);
        expect(splits * kChunk).toBeGreaterThanOrEqual(k);
        if (splits > 1) expect(kChunk % 32).toBe(0);
      }
  });

  it('is the same kernel as matmul where f32 is asked for', async () => {
    const gpu = await own();
    const shape = { m: 128, n: 128, k: 128 };
    const ours = await matrixMatmul.create(gpu, { layout: 'nt' }, shape);
    const known = await matmul.create(gpu, { layout: 'nt' }, shape);
    expect([ours.name, ours.variant]).toEqual([known.name, known.variant]);
  });
});

import { capsOf } from '../../src/kernel/index.ts';
import {
  chooseQkNormRope,
  type QkNormRopeOptions,
  type QkNormRopeTile,
  qkNormAffineBackward,
  qkNormRope,
  qkNormRopeBackward,
} from '../../src/kernels/qk_norm_rope.ts';
import { chooseChunk } from '../../src/kernels/reduce.ts';
import { type QkvProblem, qkNormRotary, qkNormRotaryGradients, randn, rotaryTables } from '../reference/index.ts';
import { type KernelCase, needsOf, prepared, type Stored, storedAs, suffixOf } from './case.ts';

type Sizes = readonly [batch: number, n: number, heads: number, headDim: number];

export interface QkNormRopeVariant {
  norm: QkNormRopeOptions['norm'];
  affine?: boolean;
  /** Rotary tables of a square of tokens, or four unrelated numbers for each pair: the kernels take any. */
  rope?: 'axial' | 'stretched' | 'any';
  /** 1e-6 if left out. */
  eps?: number;
  /** Rows shared by the invocations that chooseQkNormRope gives a GPU. */
  lanes?: boolean;
  /** How qkv, and how q, k and v are stored; both f32 if left out. */
  dtypes?: readonly [qkv: Stored, heads: Stored];
}

const typesOf = ({ dtypes: [dtype, outDtype] = ['f32', 'f32'] }: QkNormRopeVariant) => ({ dtype, outDtype });

/** The buffers that a variant stores as f16. */
function halvesOf(variant: QkNormRopeVariant): string[] {
  const { dtype, outDtype } = typesOf(variant);
  return [
    ...(dtype === 'f16' ? ['qkv', 'dqkv'] : []),
    ...(outDtype === 'f16' ? ['q', 'k', 'v', 'dq', 'dk', 'dv'] : []),
  ];
}

/** The tile of a GPU with this device's limits, whatever it is: both variants run everywhere. */
const tileOf = (device: GPUDevice, headDim: number, lanes: boolean | undefined) =>
  lanes ? { tile: chooseQkNormRope(headDim, { ...capsOf(device), software: false }) as QkNormRopeTile } : {};

const ROUNDING = {
  tolerance: 1e-6,
  toleranceFrom: 'f32 rounding of a mean square of head_dim terms, an affine map and a rotation, 8 ulp',
};

/** Inputs of one case and the oracle's view of them. */
function problem([batch, n, heads, headDim]: Sizes, variant: QkNormRopeVariant) {
  const { norm, affine, rope, eps = 1e-6 } = variant;
  const { dtype, outDtype } = typesOf(variant);
  const count = batch * n * heads * headDim;
  const normals = (size: number, seed: number) => Float32Array.from(randn(size, seed));
  const qkv = storedAs(
    dtype,
    normals(3 * count, 1).map((x) => 1.5 * x + 0.7),
  );
  const table = rope === 'any' ? randn(2 * n * headDim, 3) : rope && rotaryTables(rope, Math.sqrt(n), headDim);
  const tables = {
    ...(affine && { affine: normals(4 * headDim, 2) }),
    ...(table && { rope: Float32Array.from(table) }),
  };
  const [dq, dk, dv] = [4, 5, 6].map((seed) => storedAs(outDtype, normals(count, seed))) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const cotangents = { dq, dk, dv };
  const reference: QkvProblem = { batch, n, heads, headDim, qkv, norm, eps: Math.fround(eps), ...tables };
  return { count, qkv, tables, cotangents, reference, dims: { batch, n, heads, head_dim: headDim, eps } };
}

function named(kernel: string, sizes: Sizes, variantOf: QkNormRopeVariant, note = '') {
  const { norm, affine, rope, lanes } = variantOf;
  const { dtype, outDtype } = typesOf(variantOf);
  const parts = [norm, ...(affine ? ['affine'] : []), ...(rope ? [`${rope} rope`] : []), ...(lanes ? ['lanes'] : [])];
  const variant = parts.join('+') + suffixOf(dtype, outDtype);
  return {
    kernel,
    name: `${variant} ${sizes.join('x')}${note}`,
    variant,
    shape: [...sizes],
    ...needsOf(dtype, outDtype),
  };
}

/** Elements of q, those of the tables, and the operations of norm, affine map and rotation for an element of q or k. */
function work([batch, n, heads, headDim]: Sizes, { norm, affine, rope }: QkNormRopeVariant) {
  return {
    one: batch * n * heads * headDim,
    tables: (affine ? 4 * headDim : 0) + (rope ? 2 * n * headDim : 0),
    operations: { none: 0, rms: 3, layer: 5 }[norm] + (affine ? 2 : 0) + (rope ? 3 : 0),
    normed: norm !== 'none',
  };
}

/** The forward of one variant. */
export function qkNormRopeCase(sizes: Sizes, variant: QkNormRopeVariant, extra: Partial<KernelCase> = {}): KernelCase {
  const { one, tables, operations } = work(sizes, variant);
  return {
    ...named('qkNormRope', sizes, variant),
    ...ROUNDING,
    flops: 2 * one * operations,
    bytes: 4 * (6 * one + tables),
    forced: variant.lanes === true,
    ...extra,
    prepare: (device) => {
      const p = problem(sizes, variant);
      const tile = tileOf(device, sizes[3], variant.lanes);
      const options = {
        norm: variant.norm,
        affine: 'affine' in p.tables,
        rope: 'rope' in p.tables,
        ...tile,
        ...typesOf(variant),
      };
      return prepared(qkNormRope.prepare(device, options), p.dims, {
        inputs: { qkv: p.qkv, ...p.tables },
        outputs: { q: p.count, k: p.count, v: p.count },
        halves: halvesOf(variant),
        oracle: () => ({ ...qkNormRotary(p.reference) }),
      });
    },
  };
}

/** Its backward. */
export function qkNormRopeBackwardCase(
  sizes: Sizes,
  variant: QkNormRopeVariant,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { one, tables, operations, normed } = work(sizes, variant);
  return {
    ...named('qkNormRopeBackward', sizes, variant),
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of the stats and of two sums of head_dim terms, 8 ulp',
    flops: 2 * one * (operations + (normed ? 6 : 0)),
    bytes: 4 * ((normed ? 8 : 6) * one + tables),
    forced: variant.lanes === true,
    ...extra,
    prepare: (device) => {
      const p = problem(sizes, variant);
      const tile = tileOf(device, sizes[3], variant.lanes);
      const options = {
        norm: variant.norm,
        affine: 'affine' in p.tables,
        rope: 'rope' in p.tables,
        ...tile,
        ...typesOf(variant),
      };
      return prepared(qkNormRopeBackward.prepare(device, options), p.dims, {
        inputs: { qkv: p.qkv, ...p.tables, ...p.cotangents },
        outputs: { dqkv: 3 * p.count },
        halves: halvesOf(variant),
        oracle: () => ({ dqkv: qkNormRotaryGradients(p.reference, p.cotangents).dqkv }),
      });
    },
  };
}

function affineCase(
  sizes: Sizes,
  variant: QkNormRopeVariant,
  chunk?: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const { one, tables, operations } = work(sizes, variant);
  const headDim = sizes[3];
  const chunkRows = chunk ?? chooseChunk(one / headDim, headDim);
  const chunks = Math.ceil(one / headDim / chunkRows);
  return {
    ...named('qkNormAffineBackward', sizes, variant, ` chunks of ${chunkRows}`),
    tolerance: 2e-6,
    toleranceFrom: 'f32 rounding of the stats and of a sum of chunk_rows terms, 16 ulp',
    flops: 2 * one * (operations + 3),
    bytes: 4 * (4 * one + tables + chunks * 4 * headDim),
    ...extra,
    prepare: (device) => {
      const p = problem(sizes, variant);
      const { rope } = p.tables;
      const { dq, dk } = p.cotangents;
      const kernel = qkNormAffineBackward.prepare(device, {
        norm: variant.norm,
        rope: rope !== undefined,
        ...typesOf(variant),
      });
      return prepared(
        kernel,
        { ...p.dims, chunk_rows: chunkRows },
        {
          inputs: { qkv: p.qkv, ...(rope && { rope }), dq, dk },
          outputs: { partial: chunks * 4 * headDim },
          halves: halvesOf(variant),
          oracle: () => ({ partial: qkNormRotaryGradients(p.reference, p.cotangents, chunkRows).daffine }),
        },
      );
    },
  };
}

const SMOKE = { smoke: true };
const BENCH = { benchOnly: true };

const TIT: QkNormRopeVariant = { norm: 'rms', rope: 'axial' };
const DDT: QkNormRopeVariant = { norm: 'rms', affine: true, rope: 'stretched' };
const REALISTIC: [Sizes, QkNormRopeVariant][] = [
  [[8, 256, 12, 64], TIT],
  [[8, 256, 16, 72], TIT],
  [[8, 256, 16, 72], DDT],
  [[8, 256, 16, 72], { norm: 'none', rope: 'axial' }],
  [[8, 256, 12, 64], { norm: 'none' }],
  [[64, 64, 3, 64], TIT],
];

export const qkNormRopeCases: KernelCase[] = [
  ...[qkNormRopeCase, qkNormRopeBackwardCase].flatMap((make) => [
    make([2, 3, 3, 8], { norm: 'rms', affine: true, rope: 'any' }, SMOKE),
    make([1, 1, 1, 1], { norm: 'none' }),
    make([2, 41, 3, 1], { norm: 'rms', affine: true, eps: 0.5 }), // at 1e-6 the gradient by one number is all rounding
    make([1, 41, 3, 41], { norm: 'layer', affine: true }),
    make([1, 113, 2, 72], { norm: 'layer', rope: 'any' }),
    make([1, 257, 1, 64], { norm: 'none', rope: 'any' }),
    make([2, 49, 2, 72], TIT),
    make([1, 36, 2, 128], DDT),
    make([1, 3, 1, 64], { norm: 'none', affine: true }),
    make([3, 3121, 7, 4], { norm: 'rms', affine: true, rope: 'any' }), // 65,541 rows of q
    make([2, 3, 3, 8], { norm: 'rms', affine: true, rope: 'any', lanes: true }, SMOKE),
    make([1, 41, 3, 12], { norm: 'layer', affine: true, lanes: true }),
    make([1, 113, 2, 72], { norm: 'layer', rope: 'any', lanes: true }),
    make([1, 257, 1, 64], { norm: 'none', rope: 'any', lanes: true }),
    make([2, 49, 2, 72], { ...TIT, lanes: true }),
    make([1, 36, 2, 128], { ...DDT, lanes: true }),
    make([1, 3, 1, 256], { norm: 'layer', affine: true, rope: 'any', lanes: true }),
    make([1, 5, 1, 64], { norm: 'none', affine: true, lanes: true }),
    make([3, 3121, 7, 8], { norm: 'rms', rope: 'any', lanes: true }), // 65,541 rows of q
    ...[false, true].flatMap((lanes) => [
      make([1, 41, 3, 12], { norm: 'layer', affine: true, lanes, dtypes: ['f16', 'f32'] }),
      make([2, 49, 2, 72], { ...TIT, lanes, dtypes: ['f16', 'f16'] }),
    ]),
  ]),
  affineCase([2, 3, 3, 8], { norm: 'rms', rope: 'any' }, 5, SMOKE),
  affineCase([1, 1, 1, 1], { norm: 'none' }, 1),
  affineCase([1, 41, 3, 12], { norm: 'layer', rope: 'any', dtypes: ['f16', 'f16'] }, 50),
  affineCase([1, 41, 3, 12], { norm: 'rms', dtypes: ['f16', 'f32'] }, 50),
  affineCase([1, 41, 3, 41], { norm: 'layer' }, 100),
  affineCase([1, 113, 2, 72], { norm: 'layer', rope: 'any' }, 257),
  affineCase([2, 49, 2, 72], TIT),
  affineCase([1, 36, 2, 128], DDT, 7),
  affineCase([1, 257, 1, 64], { norm: 'none', rope: 'any' }, 64),
  affineCase([3, 3121, 7, 4], { norm: 'rms', rope: 'any' }), // 65,541 rows of q
  affineCase([3, 3121, 7, 2], { norm: 'rms', rope: 'any' }, 1), // as many chunks
  ...REALISTIC.flatMap(([sizes, variant]) => [
    ...[false, true].flatMap((lanes) => [
      qkNormRopeCase(sizes, { ...variant, lanes }, BENCH),
      qkNormRopeBackwardCase(sizes, { ...variant, lanes }, BENCH),
    ]),
    ...(variant.affine ? [affineCase(sizes, variant, undefined, BENCH)] : []),
  ]),
];

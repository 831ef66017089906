import { defineKernel, flag, group, type KernelFamily, oneOf, optional, type ShaderSource } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { LARGEST_PARTS } from './largest_tile.ts';
import type { MatmulOptions, MatmulShape, MatmulTile } from './matmul_tile.ts';
import { unshaped } from './matmul_tile.ts';
import {
  fusedOnMatrices,
  hasMatrices,
  type MatrixMatmulOptions,
  matrixKnobs,
  matrixTile,
  unshapedMatrix,
  wholeMatrixTile,
} from './matrix_tile.ts';
import { productCheck, productKnobs, productOptions, productSizes, tileKnobs } from './product_tile.ts';

export {
  chooseMatrixMatmul,
  hasMatrices,
  type MatrixMatmulChoice,
  type MatrixMatmulOptions,
  type MatrixMatmulTile,
  type MatrixTile,
  matrixGluTile,
  matrixSumsOnTheWay,
  type Precision,
  type Split3Tile,
} from './matrix_tile.ts';

/** The shaders of a product, by kind of tile: buffers and dims are the same, but for `ranges`, which f32x3 alone has. */
export const MATMUL_SHADERS: { readonly [kind in NonNullable<MatrixMatmulOptions['tile']>['kind']]: ShaderSource } = {
  plain: shaders.matmul_plain,
  tiled: shaders.matmul_tiled,
  matrix: shaders.matmul_matrix,
  f32x3: shaders.matmul_f32x3,
};

/** The buffers and dims of any of them. */
export interface AnyMatmul extends Omit<shaders.MatmulMatrix, 'bindings' | 'uniform'> {
  readonly bindings: shaders.MatmulMatrix['bindings'] & {
    readonly ranges: {
      readonly binding: 8;
      readonly access: 'read';
      readonly element: 'u32';
      readonly optional: 'f32x3';
    };
  };
  readonly uniform: shaders.MatmulF32x3['uniform'];
}

/** The family over other texts of its shaders: what a test that emulates subgroup matrices gives. */
export function defineMatrixMatmul(
  sources: typeof MATMUL_SHADERS,
): KernelFamily<AnyMatmul, MatrixMatmulOptions, MatmulShape> {
  return defineKernel<AnyMatmul, MatrixMatmulOptions, MatmulShape>({
    name: 'matrixMatmul',
    shader: (o) => sources[o.tile?.kind ?? 'plain'] as unknown as AnyMatmul,
    choose: (o, shape, caps) => (o.tile ? o : { ...o, tile: wholeMatrixTile(shape, o.precision ?? 'f32', caps) }),
    unshaped: (o, caps) => {
      if (o.tile) return [];
      const { precision = 'f32' } = o;
      if (precision === 'f32' || !hasMatrices(caps)) return unshaped(o as MatmulOptions, caps);
      return unshapedMatrix(o, precision, caps);
    },
    options: group<MatrixMatmulOptions>(
      {
        ...productOptions,
        glu: optional(flag),
        sums: optional(flag),
        precision: optional(oneOf('f32', 'f16', 'f32x3')),
        tile: optional(matrixTile),
      },
      (o) => {
        const { precision, tile, dtype = 'f32', bDtype = dtype } = o;
        if ((precision === 'f32x3' || tile?.kind === 'f32x3') && (dtype === 'f16' || bDtype === 'f16'))
          return { what: 'precision f32x3 has operands of f16', fix: 'give f32 operands, or precision f16' };
        return fusedOnMatrices(o);
      },
    ),
    knobs: (o) => {
      const { tile } = o;
      const own =
        tile?.kind === 'matrix' || tile?.kind === 'f32x3'
          ? matrixKnobs(o, tile)
          : tileKnobs({ ...o, tile: (tile ?? { kind: 'plain', tm: 4, tn: 4, wgX: 8, wgY: 8 }) as MatmulTile });
      return { ...productKnobs(o), ...own };
    },
    sizes: (d, k) => ({
      ...productSizes(d, k),
      ranges: LARGEST_PARTS * (1 + Math.max(d.range_a ?? 0, d.range_b ?? 1)),
    }),
    grid: (d, knobs) => {
      const [rows, cols] = outputsOf(knobs as Record<string, number>);
      return Math.ceil(d.m / rows) * Math.ceil(d.n / cols) * Math.ceil(d.k / d.k_chunk) * d.batch;
    },
    check: (d, k) => productCheck(d, k, 'QM' in k || 'WG_X' in k ? 4 : 8),
  });
}

/** Rows and columns of a workgroup's outputs. */
function outputsOf(k: Record<string, number>): [rows: number, cols: number] {
  if ('QM' in k) return [32 * (k.QM as number), 32 * (k.QN as number)];
  if ('WG_X' in k) return [(k.TM as number) * (k.WG_Y as number), (k.TN as number) * (k.WG_X as number)];
  return [32 * (k.TM ?? 2), 32 * (k.TN ?? 2)];
}

/**
 * `matmul` in the precision that is asked for, with the same buffers and dims: on subgroup matrices where the device has them, and by the
 * f32 variants elsewhere. An app that multiplies in f32 alone takes `matmul`, which does not bring these shaders along.
 * A tile of kind f32x3 also takes `ranges` [..., 128] u32, what `largest` writes of a in row range_a (left out: 0), of b in row range_b (1);
 * which tile a shape comes to says `chooseMatrixMatmul`.
 * See shaders/matmul_matrix.wgsl and shaders/matmul_f32x3.wgsl.
 */
export const matrixMatmul = defineMatrixMatmul(MATMUL_SHADERS);

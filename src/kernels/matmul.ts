import { defineKernel, flag, group, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { type MatmulOptions, type MatmulShape, unshaped, wholeTile } from './matmul_tile.ts';
import {
  fusedTiles,
  productCheck,
  productKnobs,
  productOptions,
  productSizes,
  tile,
  tileKnobs,
} from './product_tile.ts';

export {
  chooseMatmul,
  gluTile,
  type MatmulChoice,
  type MatmulLayout,
  type MatmulOptions,
  type MatmulShape,
  type MatmulShare,
  type MatmulTile,
  type MatmulVec,
  type PlainTile,
  type TiledTile,
} from './matmul_tile.ts';
export { sumsOnTheWay } from './product_tile.ts';

/**
 * Batched matrix product with a fused epilogue: `out = residual + gate * act(op(A) op(B) + bias)`.
 * Buffers: a, b of `dtype`, fewer where they are shared; out, pre [batch, m, n] and residual [batch, residual_rows, n] of
 * `outDtype` (out [batch, m, n/2] with `glu`); f32 bias [n] and gate [ceil(m/gate_rows), gate_stride]. Dims m, n, k; batch is 1 and k_chunk is k where left out, the
 * others belong to their parts; f32 sums [splits * batch, m].
 * See shaders/matmul_plain.wgsl and shaders/matmul_tiled.wgsl. With a shape the variant is the best for it; without, what is bound is
 * the best of three for any shape.
 */
export const matmul = defineKernel({
  shader: (o: MatmulOptions) => (o.tile?.kind === 'tiled' ? shaders.matmul_tiled : shaders.matmul_plain),
  name: 'matmul',
  choose: (o: MatmulOptions, shape: MatmulShape, caps) => (o.tile ? o : { ...o, tile: wholeTile(shape, caps) }),
  unshaped,
  options: group<MatmulOptions>(
    { ...productOptions, glu: optional(flag), sums: optional(flag), tile: optional(tile) },
    fusedTiles,
  ),
  knobs: (o: MatmulOptions) => ({ ...productKnobs(o), ...tileKnobs(o) }),
  sizes: productSizes,
  grid: (d, knobs) => {
    const k = knobs as Record<string, number>;
    const [rows, cols] = 'QM' in k ? [32 * k.QM, 32 * k.QN] : [k.TM * k.WG_Y, k.TN * k.WG_X];
    const tilesN = k.GLU ? Math.ceil(d.n / 2 / (cols / 2)) : Math.ceil(d.n / cols);
    return Math.ceil(d.m / rows) * tilesN * Math.ceil(d.k / d.k_chunk) * d.batch;
  },
  check: productCheck,
});

import { type Caps, defineKernel } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** Which operands are stored transposed: a letter for A, a letter for B. */
export type MatmulLayout = 'nn' | 'nt' | 'tn';

/** What a matmul kernel computes. */
export interface MatmulOptions {
  /** nn: A [m,k] B [k,n]. nt: B is [n,k], as nn.Linear stores weights. tn: A is [k,m], as weight gradients need. */
  layout: MatmulLayout;
  bias?: boolean;
  act?: 'none' | 'gelu' | 'silu';
  gate?: boolean;
  residual?: boolean;
  /** Also write the value before the activation, for its backward. */
  pre?: boolean;
  /** The tiling; see `chooseMatmul`. */
  tile?: MatmulTile;
}

/** Outputs an invocation, and invocations a workgroup. */
export interface MatmulTile {
  tm: number;
  tn: number;
  wgX: number;
  wgY: number;
}

/** Shape of one product. */
export interface MatmulShape {
  m: number;
  n: number;
  k: number;
  batch?: number;
}

/** The tiling for a shape on a device. */
export function chooseMatmul(_shape: MatmulShape, caps: Caps): MatmulTile {
  return caps.software ? { tm: 8, tn: 2, wgX: 8, wgY: 4 } : { tm: 4, tn: 4, wgX: 16, wgY: 16 };
}

const ACTS = { none: 0, gelu: 1, silu: 2 };

/**
 * Batched matrix product with a fused epilogue: `out = residual + gate * act(op(A) op(B) + bias)`.
 * Buffers f32: a, b, out [batch, ...]; bias [n]; gate [ceil(m/gate_rows), gate_stride]; residual [batch, residual_rows, n];
 * pre like out. Dims of an unused part: gate_rows 1, gate_stride 0, gate_offset 0, residual_rows 1; k_chunk >= k for one split.
 * See shaders/matmul_plain.wgsl.
 */
export const matmul = defineKernel({
  shader: shaders.matmul_plain,
  knobs: (o: MatmulOptions) => ({
    TRANS_A: o.layout === 'tn',
    TRANS_B: o.layout === 'nt',
    ACT: ACTS[o.act ?? 'none'],
    HAS_BIAS: o.bias ?? false,
    HAS_GATE: o.gate ?? false,
    HAS_RESIDUAL: o.residual ?? false,
    HAS_PRE: o.pre ?? false,
    TM: o.tile?.tm,
    TN: o.tile?.tn,
    WG_X: o.tile?.wgX,
    WG_Y: o.tile?.wgY,
  }),
  sizes: (d) => {
    const outs = Math.ceil(d.k / d.k_chunk) * d.batch * d.m * d.n;
    return {
      a: d.batch * d.m * d.k,
      b: d.batch * d.k * d.n,
      bias: d.n,
      gate: Math.ceil(d.m / d.gate_rows) * d.gate_stride,
      residual: d.batch * d.residual_rows * d.n,
      out: outs,
      pre: outs,
    };
  },
  grid: (d, k) => {
    const tiles =
      Math.ceil(d.m / ((k.TM as number) * (k.WG_Y as number))) * Math.ceil(d.n / ((k.TN as number) * (k.WG_X as number)));
    return tiles * Math.ceil(d.k / d.k_chunk) * d.batch;
  },
  check: (d, k) => {
    for (const name of ['m', 'n', 'k', 'batch', 'k_chunk', 'gate_rows', 'residual_rows'] as const) {
      if (d[name] === 0) return { what: `${name} is 0`, fix: `give ${name} at least 1` };
    }
    if (k.HAS_GATE && d.gate_offset + d.n > d.gate_stride) {
      return { what: `gate columns end at ${d.gate_offset + d.n}, past gate_stride ${d.gate_stride}`, fix: 'keep gate_offset + n <= gate_stride' };
    }
    if (d.k_chunk < d.k && (k.ACT !== 0 || k.HAS_BIAS || k.HAS_GATE || k.HAS_RESIDUAL)) {
      return { what: 'a product split over k has an epilogue', fix: 'apply the epilogue after the splits are added' };
    }
    return undefined;
  },
});

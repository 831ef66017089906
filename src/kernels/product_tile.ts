/** The host side that all variants of a product share: their options, knobs, sizes and checks. */
import { flag, group, type KnobValue, oneOf, optional, variants, whole } from '../kernel/index.ts';
import type {
  MatmulChoice,
  MatmulOptions,
  MatmulShape,
  MatmulShare,
  MatmulTile,
  MatmulVec,
  PlainTile,
  ProductDims,
  TiledTile,
} from './matmul_tile.ts';

export const vec = optional(group<MatmulVec>({ m: flag, n: flag, k: flag }));
/** What else a MatmulChoice says, for whoever adds up the splits. */
export const split = { splits: optional(whole(1, 2 ** 32)), kChunk: optional(whole(0, 2 ** 32)) };

/** The options of each kind of tile of the f32 variants. */
export const tileKinds = {
  plain: group<Omit<PlainTile & Partial<MatmulChoice>, 'kind' | 'qm' | 'qn'>>(
    {
      tm: whole(1, 16),
      tn: whole(4, 16, 4),
      wgX: whole(1, 256),
      wgY: whole(1, 256),
      vec,
      runs: optional(flag),
      ...split,
    },
    ({ wgX, wgY }) =>
      wgX * wgY <= 256 ? undefined : { what: `tile has ${wgX} x ${wgY} invocations`, fix: 'give 256 at most' },
  ),
  tiled: group<Omit<TiledTile & Partial<MatmulChoice>, 'kind'>>(
    { qm: oneOf(1, 2), qn: oneOf(1, 2), vec, runs: optional(flag), ...split },
    ({ qm, qn, runs }) =>
      runs && qm * qn > 1
        ? { what: `tile sums in runs with qm ${qm} and qn ${qn}`, fix: 'give qm and qn 1, or leave runs out' }
        : undefined,
  ),
};

export const tile = variants<MatmulTile>('kind', tileKinds);

/** As lib act counts them. */
const ACTS = { none: 0, gelu: 1, silu: 2, relu: 3, 'gelu-erf': 4, sigmoid: 5 };

const share = optional(
  group<MatmulShare>({ each: optional(whole(1, 2 ** 32 - 1)), of: optional(whole(1, 2 ** 32 - 1)) }),
);

/** Matrices of an operand that a batch reads. */
const matricesOf = (batch: number, each: KnobValue | undefined, of: KnobValue | undefined) =>
  Math.min((of as number) || batch, Math.ceil(batch / (each as number)));

/** Of options whose tiling is chosen. */
export function tileKnobs({
  layout,
  glu = false,
  sums = false,
  tile: chosen,
  dtype = 'f32',
  bDtype = dtype,
  outDtype = dtype,
}: MatmulOptions): Record<string, KnobValue | undefined> {
  const tile = chosen as MatmulTile;
  const scalars = { AScalar: dtype, BScalar: bDtype, OScalar: outDtype };
  const along = (vec: boolean | undefined, of: string) => (vec ? (of === 'f16' ? 'vec4h' : 'vec4f') : of);
  const { m, n, k } = tile.vec ?? { m: false, n: false, k: false };
  if (tile.kind === 'plain') {
    const vecA = layout === 'tn' && m && tile.tm % 4 === 0;
    const vecB = layout !== 'nt' && n;
    const size = { TM: tile.tm, TN: tile.tn, WG_X: tile.wgX, WG_Y: tile.wgY, RUNS: tile.runs };
    return { ...size, ...scalars, VEC_A: vecA, VEC_B: vecB, AElem: along(vecA, dtype), BElem: along(vecB, bDtype) };
  }
  const vecA = layout === 'tn' ? m : k;
  const vecB = layout === 'nt' ? k : n;
  return {
    QM: tile.qm,
    QN: tile.qn,
    GLU: glu,
    HAS_SUMS: sums,
    RUNS: tile.runs,
    VEC_A: vecA,
    VEC_B: vecB,
    VEC_N: n,
    AElem: along(vecA, dtype),
    BElem: along(vecB, bDtype),
    RElem: along(n, outDtype),
    OElem: n ? along(n, outDtype) : `array<${outDtype}, 1>`,
    ...scalars,
  };
}

/** The options of a product but its tile. */
export const productOptions = {
  layout: oneOf('nn', 'nt', 'tn'),
  bias: optional(flag),
  act: optional(oneOf('none', 'gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid')),
  gate: optional(flag),
  residual: optional(flag),
  pre: optional(flag),
  dtype: optional(oneOf('f32', 'f16')),
  bDtype: optional(oneOf('f32', 'f16')),
  outDtype: optional(oneOf('f32', 'f16')),
  shareA: share,
  shareB: share,
};

/** Multiply-adds up to which a product of larger tiles sums the rows of A on the way. */
const MOST_SUMMED_WORK = 6e8;

/**
 * Whether a product sums the rows of A on the way. A tile of more than 32 x 32 has no registers left for it and takes 13% longer: less than
 * a pass of sumCols only where the product is small.
 */
export const sumsOnTheWay = (tile: MatmulTile | undefined, { m, n, k }: MatmulShape): boolean =>
  tile?.kind === 'tiled' && ((tile.qm === 1 && tile.qn === 1) || m * n * k <= MOST_SUMMED_WORK);

/** What `glu` does not go with on any tile. */
export function gluAlone(o: Omit<MatmulOptions, 'tile'>): { what: string; fix: string } | undefined {
  if (!o.glu || (o.layout === 'nt' && (o.act ?? 'none') === 'none' && !o.gate && !o.residual)) return undefined;
  return {
    what: 'glu with an act, a gate, a residual or another layout than nt',
    fix: 'give glu with bias and pre alone',
  };
}

/** What `glu` and `sums` do not go with. */
export function fusedTiles(o: MatmulOptions): { what: string; fix: string } | undefined {
  const { kind } = o.tile ?? {};
  const glu = gluAlone(o);
  if (glu) return glu;
  if (o.glu && !(o.tile?.kind === 'tiled' && o.tile.qn === 2)) {
    return {
      what: 'glu without a tile of qn 2',
      fix: 'give the tile of gluTile, or take a product and swiglu where it has none',
    };
  }
  if (o.sums && !(o.layout === 'tn' && kind === 'tiled')) {
    return {
      what: `sums with layout ${o.layout} and ${kind ?? 'no'} tile`,
      fix: 'give layout tn and a tiled tile, or use sumCols',
    };
  }
  return undefined;
}

/** The knobs of a product but those of its tile. */
export const productKnobs = (o: Omit<MatmulOptions, 'tile'>): Record<string, KnobValue | undefined> => ({
  A_EACH: o.shareA?.each,
  A_OF: o.shareA?.of,
  B_EACH: o.shareB?.each,
  B_OF: o.shareB?.of,
  TRANS_A: o.layout === 'tn',
  TRANS_B: o.layout === 'nt',
  ACT: ACTS[o.act ?? 'none'],
  HAS_BIAS: o.bias ?? false,
  HAS_GATE: o.gate ?? false,
  HAS_RESIDUAL: o.residual ?? false,
  HAS_PRE: o.pre ?? false,
});

/** Dims of a product with its epilogue. */
export interface EpilogueDims extends ProductDims {
  k_chunk: number;
  gate_rows: number;
  gate_stride: number;
  gate_offset: number;
  residual_rows: number;
}

/** Numbers that its buffers hold. */
export function productSizes(d: EpilogueDims, k: Record<string, KnobValue>) {
  const outs = Math.ceil(d.k / d.k_chunk) * d.batch * d.m * d.n;
  return {
    a: matricesOf(d.batch, k.A_EACH, k.A_OF) * d.m * d.k,
    b: matricesOf(d.batch, k.B_EACH, k.B_OF) * d.k * d.n,
    bias: d.n,
    gate: Math.ceil(d.m / d.gate_rows) * d.gate_stride,
    residual: d.batch * d.residual_rows * d.n,
    out: k.GLU ? outs / 2 : outs,
    pre: outs,
    sums: Math.ceil(d.k / d.k_chunk) * d.batch * d.m,
  };
}

/** What is wrong with the dims of a product whose variant reads `width` neighbours at a time, and the fix. */
export function productCheck(
  d: EpilogueDims,
  k: Record<string, KnobValue>,
  width = 4,
): { what: string; fix: string } | undefined {
  for (const name of ['k', 'k_chunk', 'gate_rows', 'residual_rows'] as const) {
    if (d[name] === 0) return { what: `${name} is 0`, fix: `give ${name} at least 1` };
  }
  if (k.HAS_GATE && d.gate_offset + d.n > d.gate_stride) {
    return {
      what: `gate columns end at ${d.gate_offset + d.n}, past gate_stride ${d.gate_stride}`,
      fix: 'keep gate_offset + n <= gate_stride',
    };
  }
  const split = d.k_chunk < d.k;
  if (split && (k.GLU || k.ACT !== 0 || k.HAS_BIAS || k.HAS_GATE || k.HAS_RESIDUAL)) {
    return { what: 'a product split over k has an epilogue', fix: 'apply the epilogue after the splits are added' };
  }
  if (k.GLU && d.n % (k.VEC_N ? 8 : 2) !== 0) {
    const halves = k.VEC_N ? 'multiples of 4' : 'whole';
    return {
      what: `n is ${d.n}, but the halves of a gated product are ${halves}`,
      fix: 'choose the tile with gluTile',
    };
  }
  const rowsOfA = k.TRANS_A ? 'm' : 'k';
  const rowsOfB = k.TRANS_B ? 'k' : 'n';
  const whole = [...(k.VEC_A ? [rowsOfA] : []), ...(k.VEC_B ? [rowsOfB] : []), ...(k.VEC_N ? ['n'] : [])] as (
    | 'm'
    | 'n'
    | 'k'
  )[];
  for (const name of whole) {
    if (d[name] % width !== 0) {
      return {
        what: `${name} is ${d[name]}, but the variant reads rows of ${name} ${width} at a time`,
        fix: 'choose the tile for this shape, with chooseMatmul',
      };
    }
  }
  if (split && whole.includes('k') && d.k_chunk % width !== 0) {
    return {
      what: `k_chunk is ${d.k_chunk}, but the variant reads k ${width} at a time`,
      fix: `use the kChunk of chooseMatmul, or a multiple of ${width}`,
    };
  }
  return undefined;
}

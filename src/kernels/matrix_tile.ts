/** The tilings of products on subgroup matrices, and when a device has them. */
import { type Caps, group, type KnobValue, oneOf, variants } from '../kernel/index.ts';
import { LONGEST_SUM, MOST_SPLITS } from './blocks_tile.ts';
import {
  chooseMatmul,
  type MatmulOptions,
  type MatmulShape,
  type MatmulTile,
  type MatmulVec,
  type ProductDims,
  unshaped,
} from './matmul_tile.ts';
import { fusedTiles, gluAlone, split, sumsOnTheWay, tileKinds, vec } from './product_tile.ts';
import { type MatrixTuning, tuningOf } from './tuning_tile.ts';

/** In what a product is taken: f32; operands rounded to f16 with f32 sums; or f32 by three products of halves. */
export type Precision = 'f32' | 'f16' | 'f32x3';

/** On subgroup matrices, operands rounded to f16: 32 tm x 32 tn outputs a workgroup. `vec` says which of m, n and k are multiples of 8. */
export interface MatrixTile {
  kind: 'matrix';
  tm: 2 | 4;
  tn: 2 | 4;
  vec?: MatmulVec;
}

/** On subgroup matrices, f32 operands as two halves each: 64 x 64 outputs a workgroup. It reads `ranges`. */
export interface Split3Tile {
  kind: 'f32x3';
  vec?: MatmulVec;
}

export type MatrixMatmulTile = MatmulTile | MatrixTile | Split3Tile;

export interface MatrixMatmulOptions extends Omit<MatmulOptions, 'tile' | 'glu' | 'sums'> {
  /** The least that the caller asks for; default f32. A device without subgroup matrices gives more. f32x3 takes f32 operands. */
  precision?: Precision;
  /** As `glu` of `MatmulOptions`, with the tile of `matrixGluTile` or `gluTile`. */
  glu?: boolean;
  /** As `sums` of `MatmulOptions`, of A as it is multiplied; layout tn, a tile of kind matrix or one that `matmul` has it with. */
  sums?: boolean;
  /** The tiling; see `chooseMatrixMatmul`. */
  tile?: MatrixMatmulTile;
}

/** A tiling, and into how many parts of k_chunk = kChunk to cut k where the caller can add up partial products. */
export type MatrixMatmulChoice = MatrixMatmulTile & { splits: number; kChunk: number };

/** Bytes of workgroup memory that tiles take: 64 x 64, larger ones, and 64 x 64 in halves of two. */
const MEMORY = { small: 10496, large: 20736, f32x3: 21008 };

/** Whether a device multiplies 16 x 16 halves into f32 by subgroups of 32. */
export function hasMatrices(caps: Caps): boolean {
  const { least, most } = caps.subgroups;
  const known = caps.matrices.some(
    (c) => c.components === 'f16' && c.result === 'f32' && c.m === 16 && c.n === 16 && c.k === 16,
  );
  return known && caps.f16 && least === 32 && most === 32 && caps.maxWorkgroupMemory >= MEMORY.small;
}

const eights = ({ m, n, k }: { m: number; n: number; k: number }): MatmulVec => ({
  m: m % 8 === 0,
  n: n % 8 === 0,
  k: k % 8 === 0,
});

/**
 * The tiling for a shape in a precision on a device, and the split over k: of the f32 variants where the device has no subgroup matrices,
 * or where k is so long that its sum must be taken in runs. kChunk is a multiple of 32 where a matrix tile's splits are above 1.
 */
export function chooseMatrixMatmul(shape: MatmulShape, precision: Precision, caps: Caps): MatrixMatmulChoice {
  const { k, split: mayBeSplit = true } = shape;
  const long = k > LONGEST_SUM && !mayBeSplit && precision === 'f16';
  const memory = precision === 'f32x3' ? MEMORY.f32x3 : MEMORY.small;
  if (precision === 'f32' || !hasMatrices(caps) || long || caps.maxWorkgroupMemory < memory)
    return chooseMatmul(shape, caps);
  const { splits, kChunk, ...size } = cheapestMatrices(shape, precision, caps);
  const vec = eights(shape);
  const tile: MatrixTile | Split3Tile =
    precision === 'f32x3' ? { kind: 'f32x3', vec } : { kind: 'matrix', ...size, vec };
  return { ...tile, splits, kChunk };
}

/** A tile of 32 tm x 32 tn outputs a workgroup, and into how many parts of kChunk, a multiple of 32 where there are several, to cut k. */
export interface Matrices extends Pick<MatrixTile, 'tm' | 'tn'> {
  splits: number;
  kChunk: number;
}

/** What differs of a kernel that is no product of stored matrices. */
export interface OwnMatrices extends Partial<Pick<MatrixTuning, 'tiles'>> {
  /** Parts of k that the caller has room for at most. */
  readonly mostSplits?: number;
  /** What the dispatch costs that adds them up, where it has one of its own, in multiply-adds of one multiprocessor. */
  readonly secondPass?: number;
}

/**
 * The tile on subgroup matrices, and the parts of k where the caller can add them up (`split`), with which a GPU is done with `batch`
 * products [m, k] x [k, n] first. Pure.
 */
export function cheapestMatrices(
  { m, n, k, batch = 1, split: mayBeSplit = true }: MatmulShape,
  precision: 'f16' | 'f32x3',
  caps: Caps,
  own: OwnMatrices = {},
): Matrices {
  const { multiprocessors, minSplitK, partial, ...of } = tuningOf(caps).matrix[precision];
  const { tiles = of.tiles, secondPass = 0 } = own;
  const mostSplits = mayBeSplit ? (own.mostSplits ?? Number.POSITIVE_INFINITY) : 1;
  const wished = Math.max(1, Math.ceil(k / LONGEST_SUM));
  const fewest = wished <= mostSplits ? wished : 1;
  const most = Math.max(fewest, Math.min(MOST_SPLITS, mostSplits, Math.floor(k / minSplitK)));
  let best: Matrices | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const { tm, tn, atOnce, rate } of tiles) {
    if (tm * tn > 4 && caps.maxWorkgroupMemory < MEMORY.large) continue;
    const count = batch * Math.ceil(m / (32 * tm)) * Math.ceil(n / (32 * tn));
    for (let wanted = fewest; wanted <= most; wanted++) {
      const kChunk = wanted === 1 ? k : Math.ceil(k / wanted / 32) * 32;
      const splits = Math.ceil(k / kChunk);
      const each = Math.max(atOnce, Math.ceil((count * splits) / multiprocessors));
      const sums = splits === 1 ? 0 : splits * batch * m * n * partial + secondPass;
      const cost = (each * tm * tn * 32 * 32 * kChunk) / rate + sums;
      if (cost < least) {
        least = cost;
        best = { tm, tn, splits, kChunk };
      }
    }
  }
  return best as Matrices;
}

/** The tiling of a product in one pass over k. */
export function wholeMatrixTile(shape: MatmulShape, precision: Precision, caps: Caps): MatrixMatmulTile {
  const { splits: _, kChunk: __, ...whole } = chooseMatrixMatmul({ ...shape, split: false }, precision, caps);
  return whole;
}

/** The tiling in f16 of a product with `glu`; undefined where it would not be on subgroup matrices: there it is a product and a swiglu. */
export function matrixGluTile(shape: MatmulShape, caps: Caps): MatrixTile | undefined {
  const tile = wholeMatrixTile(shape, 'f16', caps);
  return tile.kind === 'matrix' ? tile : undefined;
}

/** Whether a product of a tile takes the sums of A's rows on the way: those of halves are exact there. */
export const matrixSumsOnTheWay = (tile: MatrixMatmulTile, shape: MatmulShape, dtype: 'f32' | 'f16'): boolean =>
  tile.kind === 'matrix' ? dtype === 'f16' : tile.kind !== 'f32x3' && sumsOnTheWay(tile, shape);

/** What `glu` and `sums` do not go with. */
export function fusedOnMatrices(o: MatrixMatmulOptions): { what: string; fix: string } | undefined {
  if (!o.glu && !o.sums) return undefined;
  if (o.tile?.kind !== 'matrix' && o.tile?.kind !== 'f32x3') return fusedTiles(o as MatmulOptions);
  const fused = o.glu ? 'glu' : 'sums';
  if (o.tile.kind === 'f32x3')
    return { what: `${fused} with a tile of f32x3`, fix: 'take it apart, by swiglu or sumCols, or precision f16' };
  if (o.sums && o.layout !== 'tn')
    return { what: `sums with layout ${o.layout}`, fix: 'give layout tn, or use sumCols' };
  return gluAlone(o);
}

/** Tilings for any shape, the best first: of rows that are whole eights, of any, and f32's for a k that is too long for one sum. */
export function unshapedMatrix(o: MatrixMatmulOptions, precision: Precision, caps: Caps) {
  const [large, any] = [4096, 255].map((size) => wholeMatrixTile({ m: size, n: size, k: size }, precision, caps));
  const fits = (d: ProductDims) => precision === 'f32x3' || d.k <= LONGEST_SUM;
  const aligned = (d: ProductDims) => fits(d) && [d.m, d.n, d.k].every((size) => size % 8 === 0);
  const members = [
    { options: { ...o, tile: large as MatrixMatmulTile }, when: aligned },
    { options: { ...o, tile: any as MatrixMatmulTile }, when: fits },
  ];
  return precision === 'f32x3' ? members : [...members, ...unshaped(o as MatmulOptions, caps).slice(-1)];
}

type Own<T> = Omit<T, 'kind'> & { splits?: number; kChunk?: number };

/** The options of a tile of any variant. */
export const matrixTile = variants<MatrixMatmulTile>('kind', {
  ...tileKinds,
  matrix: group<Own<MatrixTile>>({ tm: oneOf(2, 4), tn: oneOf(2, 4), vec, ...split }),
  f32x3: group<Own<Split3Tile>>({ vec, ...split }),
});

/** Knobs of the two variants on subgroup matrices. */
export function matrixKnobs(
  o: MatrixMatmulOptions,
  tile: MatrixTile | Split3Tile,
): Record<string, KnobValue | undefined> {
  const { layout, dtype = 'f32', bDtype = dtype, outDtype = dtype } = o;
  const { m, n, k } = tile.vec ?? { m: false, n: false, k: false };
  const vecA = layout === 'tn' ? m : k;
  const vecB = layout === 'nt' ? k : n;
  const out = {
    VEC_A: vecA,
    VEC_B: vecB,
    VEC_N: n,
    OScalar: outDtype,
    RElem: n ? vectorOf(outDtype) : outDtype,
    OElem: n ? vectorOf(outDtype) : `array<${outDtype}, 1>`,
  };
  if (tile.kind === 'f32x3') return { ...out, AElem: vecA ? 'vec4f' : 'f32', BElem: vecB ? 'vec4f' : 'f32' };
  const words = { a: vecA && dtype === 'f16', b: vecB && bDtype === 'f16' };
  return {
    ...out,
    GLU: o.glu ?? false,
    HAS_SUMS: o.sums ?? false,
    TM: tile.tm,
    TN: tile.tn,
    WORDS_A: words.a,
    WORDS_B: words.b,
    AStored: dtype,
    BStored: bDtype,
    AScalar: words.a ? 'u32' : dtype,
    BScalar: words.b ? 'u32' : bDtype,
    AElem: words.a ? 'vec4u' : vecA ? 'vec4f' : dtype,
    BElem: words.b ? 'vec4u' : vecB ? 'vec4f' : bDtype,
  };
}

const vectorOf = (dtype: string) => (dtype === 'f16' ? 'vec4h' : 'vec4f');

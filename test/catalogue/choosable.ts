/**
 * What the pure choices come to on a device over the shapes that they may be asked about, as cases at sizes that no tile divides:
 * `doctor` runs them all. Found by asking the choices, so that a new answer of theirs is a new case here.
 */
import type { Caps } from '../../src/kernel/index.ts';
import { type AttentionTile, chooseAttention } from '../../src/kernels/attention.ts';
import { type ConvShape, type ConvTile, chooseConv, chooseConvWeight } from '../../src/kernels/conv.ts';
import { chooseMatmul, type MatmulLayout, type MatmulTile, type MatmulVec } from '../../src/kernels/matmul.ts';
import {
  chooseMatrixMatmul,
  hasMatrices,
  type MatrixMatmulTile,
  type Precision,
} from '../../src/kernels/matmul_matrix.ts';
import { chooseNorm, type NormTile } from '../../src/kernels/norm.ts';
import { chooseQkNormRope, type QkNormRopeTile } from '../../src/kernels/qk_norm_rope.ts';
import { chooseSoftmax, type SoftmaxTile } from '../../src/kernels/softmax.ts';
import { tuningOf } from '../../src/kernels/tuning_tile.ts';
import { ATTENTION_KERNELS } from './attention.ts';
import { attentionCase, type Features } from './attention_case.ts';
import { matrixAttentionCases } from './attention_matrix.ts';
import type { KernelCase } from './case.ts';
import { convCase, convInputCase, convWeightCase } from './conv.ts';
import { type MatmulHow, type MatmulPart, matmulCase } from './matmul.ts';
import { matrixCases } from './matmul_matrix.ts';
import { normCase } from './norm.ts';
import { normBackwardXCase } from './norm_backward.ts';
import { type QkNormRopeVariant, qkNormRopeBackwardCase, qkNormRopeCase } from './qk_norm_rope.ts';
import { crossEntropyCase, softmaxCase } from './softmax.ts';

/** Sizes on both sides of every power of 2, in all residues by 4. */
const POWERS = Array.from({ length: 14 }, (_, i) => 2 ** i);
const SIZES = [...new Set(POWERS.flatMap((p) => [p - 1, p, p + 1, p + 2, 1.5 * p]))]
  .filter((size) => size >= 1 && Number.isInteger(size))
  .sort((a, b) => a - b);
const BATCHES = [1, 2, 16, 4096];

/** Every value once, in the order of its first coming. */
function distinct<T>(values: Iterable<T>): T[] {
  const found = new Map<string, T>();
  for (const value of values) {
    const key = JSON.stringify(value);
    if (!found.has(key)) found.set(key, value);
  }
  return [...found.values()];
}

/** Tilings of a product, with what they may read as vec4f. */
export function matmulTiles(caps: Caps): MatmulTile[] {
  const tiles = function* () {
    for (const batch of BATCHES)
      for (const m of SIZES)
        for (const n of SIZES)
          for (const k of [1, 16, 257, 4096, 16384, 16385])
            for (const split of [true, false]) {
              const { splits: _, kChunk: __, ...tile } = chooseMatmul({ m, n, k, batch, split }, caps);
              yield tile;
            }
  };
  return distinct(tiles());
}

/** Tilings of a product on subgroup matrices, likewise; none where the device has no such. */
export function matrixTiles(precision: Precision, caps: Caps): MatrixMatmulTile[] {
  const tiles = function* () {
    for (const m of SIZES)
      for (const n of SIZES)
        for (const k of [1, 16, 257, 4096]) {
          const { splits: _, kChunk: __, ...tile } = chooseMatrixMatmul({ m, n, k }, precision, caps);
          yield tile;
        }
  };
  return hasMatrices(caps) ? distinct(tiles()) : [];
}

/** A tiling of attention, and a head size for which it is chosen; values of another size come to the same ones. */
export interface AttentionChoice {
  readonly headDim: number;
  /** Rows of a head are read as vec4f. */
  readonly vec: boolean;
  readonly tile: AttentionTile;
}

/** Head sizes that models have; on a CPU the smallest of a class stands for it: llvmpipe compiles it in the least time. */
const COMMON_HEADS = [64, 72, 128, 32];

export function attentionChoices(caps: Caps): AttentionChoice[] {
  const all = Array.from({ length: 256 }, (_, i) => i + 1);
  const found = new Map<string, AttentionChoice>();
  for (const headDim of caps.software ? all : [...COMMON_HEADS, ...all]) {
    const vec = headDim % 4 === 0;
    for (const n of SIZES) {
      for (const keys of n === 32 || n === 33 ? [n] : [n, 32, 33]) {
        for (const heads of BATCHES) {
          const tile = chooseAttention({ batch: 1, heads, n, head_dim: headDim, keys }, caps);
          const key = JSON.stringify([tile, vec]);
          if (!found.has(key)) found.set(key, { headDim, vec, tile });
        }
      }
    }
  }
  return [...found.values()];
}

export function normTiles(caps: Caps, pass: 'forward' | 'backward'): NormTile[] {
  return distinct(Array.from({ length: 9000 }, (_, i) => chooseNorm(i + 1, caps, pass))); // past what is held
}

export function softmaxTiles(caps: Caps): Required<SoftmaxTile>[] {
  return distinct(SIZES.map((cols) => chooseSoftmax(cols, caps)));
}

/** Tilings of convolutions, forward and by the weight. */
export function convTiles(caps: Caps): { forward: ConvTile[]; weight: ConvTile[] } {
  const shapes = function* (): Generator<ConvShape> {
    for (const m of [1, 3, 33, 64, 200, 1024, 4100, 8448, 20_000, 65_536])
      for (const n of SIZES)
        for (const depth of [1, 4, 33, 64, 256, 1025])
          for (const taps of [1, 9]) yield { m, n, k: taps * depth, depth };
  };
  const all = [...shapes()];
  const byWeight = all.map(({ m, n, k, depth }) => chooseConvWeight({ m: n, n: k, k: m, depth, out_w: 16 }, caps).tile);
  const every = (tiles: ConvTile[]) =>
    distinct(tiles.flatMap((tile) => inEveryBlock(tile, caps)).flatMap(asVectorsOrNot));
  return { forward: every(all.map((shape) => chooseConv(shape, caps))), weight: every(byWeight) };
}

/** A tiling in all blocks that its device has numbers of: which is the cheapest, sizes decide that no list of them can cover. */
const inEveryBlock = (tile: ConvTile, caps: Caps): ConvTile[] =>
  tile.kind === 'tiled' ? tuningOf(caps).product.tiles.map(({ qm, qn }) => ({ ...tile, qm, qn })) : [tile];

/** A tiling whatever is read as vectors of 4: sizes decide on that, and on nothing else of it, one by one. */
function asVectorsOrNot(tile: ConvTile): ConvTile[] {
  const flags = (['vec', 'vecDy', 'vecN', 'whole'] as const).filter((flag) => flag in tile) as 'vec'[];
  const all = flags.reduce((tiles, flag) => tiles.flatMap((t) => [t, { ...t, [flag]: !t[flag] }]), [tile]);
  return all.filter((t) => t.vec || !(t.kind === 'tiled' && t.whole));
}

/** Lanes of a head for q/k norm, none where one invocation walks it, and a head size for which they are chosen. */
export interface QkNormRopeChoice {
  readonly headDim: number;
  readonly tile: QkNormRopeTile | undefined;
}

export function qkNormRopeChoices(caps: Caps): QkNormRopeChoice[] {
  const heads = [...COMMON_HEADS, ...Array.from({ length: 260 }, (_, i) => i + 1)];
  const found = new Map<string, QkNormRopeChoice>();
  for (const headDim of heads) {
    const tile = chooseQkNormRope(headDim, caps);
    const key = JSON.stringify(tile ?? null);
    const turns = headDim % 2 === 0; // a rotation needs an even head
    if (turns && !found.has(key)) found.set(key, { headDim, tile });
  }
  return [...found.values()];
}

/** The cases of all of these, forward and backward. */
export function choosableCases(caps: Caps): KernelCase[] {
  return [
    ...productCases(matmulTiles(caps)),
    ...(['f16', 'f32x3'] as const).flatMap((precision) => productCases(matrixTiles(precision, caps), { precision })),
    ...(hasMatrices(caps) ? [...matrixCases, ...matrixAttentionCases] : []),
    ...attentionChoices(caps).flatMap((choice, i) => attentionCases(choice, i === 0)),
    ...(['forward', 'backward'] as const).flatMap((pass) =>
      normTiles(caps, pass)
        .flatMap(normCases)
        .filter(({ kernel }) => (kernel === 'norm') === (pass === 'forward')),
    ),
    ...qkNormRopeChoices(caps).flatMap(qkNormRopeCases),
    ...softmaxCases(softmaxTiles(caps)),
    ...convolutionCases(convTiles(caps)),
  ];
}

/** A tile and a bit of the next, from channels that are read by fours or one by one. */
function convolutionCases({ forward, weight }: ReturnType<typeof convTiles>): KernelCase[] {
  const isWhole = (tile: ConvTile) => tile.kind === 'tiled' && (tile.whole ?? false);
  const read = (tile: ConvTile) => (isWhole(tile) ? 32 : tile.vec ? 8 : 7);
  const made = (tile: ConvTile) => (tile.kind === 'tiled' && tile.vecN ? 68 : 67);
  const sizes = (tile: ConvTile, channels: number, out_channels: number) => ({
    ...{ batch: 1, height: 9, width: isWhole(tile) ? 16 : 11, channels, out_channels },
    kernel: [3, 3] as const,
    padding: [1, 1, 1, 1] as const,
  });
  return [
    ...forward.flatMap((tile) => [
      convCase(sizes(tile, read(tile), made(tile)), { tile }),
      convInputCase(sizes(tile, made(tile), read(tile)), { tile }),
    ]),
    ...weight.map((tile) => convWeightCase(sizes(tile, read(tile), tile.vecDy ? 68 : 67), { tile, chunk: 48 })),
  ];
}

/** Dims whose rows a layout reads or writes along: A's, B's and the result's. */
const ALONG: { readonly [layout in MatmulLayout]: readonly (keyof MatmulVec)[] } = {
  nn: ['k', 'n'],
  nt: ['k', 'n'],
  tn: ['m', 'n'],
};

/** Each fused part by itself, and all at once: the tail of a tile is theirs too. */
const PARTS: readonly MatmulPart[][] = [
  ['bias'],
  ['gelu'],
  ['bias', 'silu', 'pre'],
  ['relu', 'pre'],
  ['gelu-erf'],
  ['sigmoid'],
  ['gate'],
  ['residual'],
  ['bias', 'gate', 'residual', 'pre'],
];
/** Matrices that neighbours in the batch share, and such that come again. */
const SHARED = { batch: 6, shareA: { each: 3 }, shareB: { each: 2, of: 2 } };
const ALL: MatmulPart[] = ['bias', 'gelu', 'gate', 'residual', 'pre'];

function productCases(tiles: readonly MatrixMatmulTile[], how: MatmulHow = {}): KernelCase[] {
  const layouts: MatmulLayout[] = ['nn', 'nt', 'tn'];
  const variants = layouts.flatMap((layout) =>
    distinct(tiles.map((tile) => ({ layout, tile: { ...tile, vec: onlyAlong(layout, tile.vec) } }))),
  );
  const [first] = tiles;
  const extra = how.precision ? { tolerance: 5e-6 } : {};
  return [
    // A whole product has its sum cut in two, which one with a tail may not have.
    ...variants.map(({ layout, tile }) => matmulCase(layout, [], { ...sizesFor(tile), splits: 2 }, tile, extra, how)),
    // A tail differs by tile and by how n is accessed; the layouts differ before it, so those that no op gives one take it once.
    ...variants
      .filter(({ layout, tile: { vec } }) => ALONG[layout].every((dim) => vec[dim] === vec.n))
      .filter(({ layout }, i, all) => layout === 'nt' || all.findIndex((v) => v.layout === layout) === i)
      .map(({ layout, tile }) =>
        matmulCase(layout, ALL, { ...sizesFor(tile), gateRows: 7, residualRows: 13 }, tile, extra, how),
      ),
    ...(first
      ? PARTS.map((parts) => matmulCase('nt', parts, { ...sizesFor(first), gateRows: 7 }, first, extra, how))
      : []),
    ...(first ? [matmulCase('nn', [], { ...sizesFor(first), ...SHARED }, first, extra, how)] : []),
  ];
}

function onlyAlong(layout: MatmulLayout, vec: MatmulVec | undefined): MatmulVec {
  const has = (dim: keyof MatmulVec) => (vec?.[dim] ?? false) && ALONG[layout].includes(dim);
  return { m: has('m'), n: has('n'), k: has('k') };
}

/** A tile and a bit of the next along m and n: whole vectors where rows are read as such, odd elsewhere. */
function sizesFor(tile: MatrixMatmulTile): { m: number; n: number; k: number } {
  const [rows, cols] = outputsOf(tile);
  const width = tile.kind === 'plain' || tile.kind === 'tiled' ? 4 : 8;
  const past = (size: number, vec: boolean | undefined) => width * Math.ceil(size / width) + (vec ? width : 3);
  return {
    m: past(rows, tile.vec?.m),
    n: past(cols, tile.vec?.n),
    k: ('runs' in tile && tile.runs ? 4096 : 0) + (tile.vec?.k ? 6 * width : 19),
  };
}

function outputsOf(tile: MatrixMatmulTile): [rows: number, cols: number] {
  if (tile.kind === 'plain') return [tile.tm * tile.wgY, tile.tn * tile.wgX];
  if (tile.kind === 'tiled') return [32 * tile.qm, 32 * tile.qn];
  return tile.kind === 'matrix' ? [32 * tile.tm, 32 * tile.tn] : [64, 64];
}

/** What the scores may have: each by itself, then much of it at once, as every tiling has it. */
const SCORES: readonly Features[] = [
  { kvHeads: 1 },
  { causal: 'start' },
  { mask: ['added', 'hn'] },
  { mask: ['boolean', 'b'] },
  { lengths: [29] },
  { softcap: 2 },
  { valueDim: 40 },
  { valueDim: 23 },
];
const SCORES_AT_ONCE: readonly Features[] = [
  { kvHeads: 1, causal: 'end', offset: 1, lengths: [31], mask: ['added', 'h'], softcap: 2 },
  { kvHeads: 1, causal: 'start', offset: 3, lengths: [37], mask: ['boolean', 'n'] },
];

function attentionCases({ headDim, tile }: AttentionChoice, each: boolean): KernelCase[] {
  const covered = tile.kind === 'tiled' ? Math.max(tile.rows, tile.cols) : tile.rows * (tile.each ?? 1);
  const features = [{}, ...(each ? SCORES : []), ...SCORES_AT_ONCE];
  return features.flatMap((own) =>
    ATTENTION_KERNELS.map((kernel) => {
      const more = { keys: covered + 13, ...own };
      return attentionCase(kernel, [1, 2, covered + 9, headDim], { ...more, tile }, { tolerance: 5e-6 });
    }),
  );
}

/**
 * Columns that the lanes of a row do not divide, rows that a workgroup does not. Every part by itself where rows are read again, and
 * where the most are held by either access; with the others all at once.
 */
function normCases(tile: NormTile, i: number, all: readonly NormTile[]): KernelCase[] {
  const { lanes, held = 0, vec = false } = tile;
  const rows = 2 * tile.rows + 1;
  const cols = held === 0 ? 2 * lanes + 9 : 4 * lanes * held - (vec ? 4 : 3);
  const each = held === 0 || !all.slice(i + 1).some((other) => other.held && (other.vec ?? false) === vec);
  return (['layer', 'rms'] as const).flatMap((kind) => [
    normCase(kind, ['weight', 'bias', 'scale', 'shift', 'stats'], rows, cols, 2, tile),
    ...(vec ? [normCase(kind, ['weight', 'scale', 'shift', 'stats', 'aligned'], rows, cols, 2, tile)] : []),
    ...(vec ? [normBackwardXCase(kind, ['scale', 'prior', 'aligned'], { rows, cols, modRows: 2 }, tile)] : []),
    normBackwardXCase(kind, ['weight', 'scale', 'prior'], { rows, cols, modRows: 2 }, tile),
    ...(each
      ? [
          normCase(kind, [], rows, cols, 1, tile),
          normCase(kind, ['stats'], rows, cols, 1, tile),
          normCase(kind, ['weight'], rows, cols, 1, tile),
          normCase(kind, ['bias', 'stats'], rows, cols, 1, tile),
          normCase(kind, ['scale', 'shift', 'stats'], rows, cols, 2, tile),
          normBackwardXCase(kind, [], { rows, cols }, tile),
          normBackwardXCase(kind, ['weight'], { rows, cols }, tile),
          normBackwardXCase(kind, ['scale', 'prior'], { rows, cols, modRows: 2 }, tile),
        ]
      : []),
  ]);
}

/** Every option with a head size that models have, and where one invocation walks a head; the rest at once with the others. */
function qkNormRopeCases({ headDim, tile }: QkNormRopeChoice): KernelCase[] {
  const whole: QkNormRopeVariant = { norm: 'rms', affine: true, rope: 'any' };
  const options: QkNormRopeVariant[] =
    tile && headDim !== COMMON_HEADS[0]
      ? [whole]
      : [
          whole,
          ...(['none', 'rms', 'layer'] as const).flatMap((norm): QkNormRopeVariant[] => [
            { norm },
            { norm, affine: true },
            { norm, rope: 'any' },
          ]),
          { norm: 'layer', affine: true, rope: 'any' },
        ];
  return options.flatMap((o) => {
    const variant = { ...o, lanes: tile !== undefined };
    return [qkNormRopeCase([1, 5, 3, headDim], variant), qkNormRopeBackwardCase([1, 5, 3, headDim], variant)];
  });
}

/** Columns that the lanes of a row do not divide, rows that a workgroup does not. What a lane holds is nothing to cross entropy. */
function softmaxCases(tiles: readonly Required<SoftmaxTile>[]): KernelCase[] {
  const sized = tiles.map((tile) => {
    const { lanes, quads } = tile;
    return { rows: 2 * tile.rows + 1, cols: quads > 0 ? 4 * lanes * quads - 3 : 8 * lanes + 9, tile };
  });
  const reading = distinct(sized.map(({ rows, tile: { lanes, rows: each } }) => ({ rows, lanes, each }))).map(
    ({ rows, lanes, each }) => ({ rows, cols: 2 * lanes + 9, tile: { lanes, rows: each, quads: 0 } }),
  );
  return [
    ...sized.flatMap((o) =>
      [false, true].flatMap((backward) => [
        softmaxCase(backward, { ...o, scale: 0.5 }),
        softmaxCase(backward, { ...o, log: true }),
      ]),
    ),
    ...reading.flatMap((o) => [
      crossEntropyCase(false, o),
      crossEntropyCase(false, { ...o, stats: false }),
      crossEntropyCase(false, { ...o, smoothing: 0.1, ignore: true }),
      crossEntropyCase(false, { ...o, smoothing: 0.1, soft: true }),
    ]),
    crossEntropyCase(true, { rows: 41, cols: 37, smoothing: 0.1 }),
    crossEntropyCase(true, { rows: 41, cols: 37, ignore: true }),
    crossEntropyCase(true, { rows: 41, cols: 37, smoothing: 0.1, soft: true }),
  ];
}

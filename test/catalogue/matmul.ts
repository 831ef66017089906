import { capsOf } from '../../src/kernel/index.ts';
import {
  chooseMatmul,
  type MatmulLayout,
  type MatmulOptions,
  type MatmulShare,
  type MatmulTile,
  matmul,
} from '../../src/kernels/matmul.ts';
import {
  type MatrixMatmulOptions,
  type MatrixMatmulTile,
  matrixMatmul,
  type Precision,
} from '../../src/kernels/matmul_matrix.ts';
import { matmul as oracle, randn } from '../reference/index.ts';
import { halves, type KernelCase, prepared } from './case.ts';

/** Products that the oracle of a case for the bench may sum. */
const ORACLE_TERMS = 1e8;

const ACTS = ['gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid'] as const;

/** What is fused; f16: all of a, b, out, residual, pre are halves, `f16 in`: only a and b, `f16 a` and `f16 b`: one of them. */
export type MatmulPart =
  | 'bias'
  | (typeof ACTS)[number]
  | 'gate'
  | 'residual'
  | 'pre'
  | 'glu'
  | 'sums'
  | 'f16'
  | 'f16 in'
  | 'f16 a'
  | 'f16 b';

/** In which precision a product is taken, and by which family. */
export interface MatmulHow {
  precision?: Precision;
  family?: typeof matrixMatmul;
}

export interface MatmulCaseShape {
  m: number;
  n: number;
  k: number;
  batch?: number;
  gateRows?: number;
  residualRows?: number;
  splits?: number;
  shareA?: MatmulShare;
  shareB?: MatmulShare;
}

/** Which matrix of an operand the s-th of the batch reads. */
const matrixOf = (share: MatmulShare | undefined) => (s: number) => {
  const at = Math.floor(s / (share?.each ?? 1));
  return share?.of ? at % share.of : at;
};
const matricesOf = (batch: number, share: MatmulShare | undefined) =>
  Math.max(...Array.from({ length: batch }, (_, s) => matrixOf(share)(s))) + 1;
const shareName = (operand: string, share: MatmulShare | undefined) =>
  share && `${operand} ${Object.entries(share).flat().join(' ')}`;

/** One product; without a tile, that of the device. */
export function matmulCase(
  layout: MatmulLayout,
  parts: MatmulPart[],
  shape: MatmulCaseShape,
  tile?: MatrixMatmulTile,
  extra: Partial<KernelCase> = {},
  { precision, family }: MatmulHow = {},
): KernelCase {
  const { m, n, k, batch = 1, gateRows = 1, residualRows = m, splits = 1, shareA, shareB } = shape;
  const [ofA, ofB] = [matricesOf(batch, shareA), matricesOf(batch, shareB)];
  const has = (part: MatmulPart) => parts.includes(part);
  const at = [
    batch > 1 && `batch ${batch}`,
    splits > 1 && `splits ${splits}`,
    shareName('a', shareA),
    shareName('b', shareB),
    tile && tileName(tile),
    precision,
  ].filter(Boolean);
  return {
    kernel: precision ? 'matrixMatmul' : 'matmul',
    name: `${[layout, ...parts].join('+')} ${m}x${k}x${n} ${at.join(' ')}`.trim(),
    variant: [layout, ...parts, ...(tile ? [tileName(tile)] : [])].join('+'),
    shape: [batch, m, k, n],
    tolerance: 3e-6,
    toleranceFrom: 'f32 rounding of a sum of k terms in order, ~ eps sqrt(k)',
    flops: 2 * batch * m * n * k,
    bytes: 4 * (ofA * m * k + ofB * k * n + batch * m * n),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const act = ACTS.find(has) ?? 'none';
      const gateStride = has('gate') ? 2 * n + 3 : 0;
      const gateOffset = has('gate') ? n + 1 : 0;
      const half = has('f16');
      const halfA = half || has('f16 in') || has('f16 a');
      const halfB = half || has('f16 in') || has('f16 b');
      // What a product in f16 rounds is rounded already, so that the oracle sees what it multiplies.
      const [roundedA, roundedB] = [halfA || precision === 'f16', halfB || precision === 'f16'];
      const stored = (values: Float32Array<ArrayBuffer>, as: boolean) => (as ? halves(values) : values);
      const a = stored(Float32Array.from(randn(ofA * m * k, 1)), roundedA);
      const b = stored(
        Float32Array.from(randn(ofB * k * n, 2), (v) => v / Math.sqrt(k)),
        roundedB,
      );
      const bias = Float32Array.from(randn(n, 3));
      const gate = Float32Array.from(randn(Math.ceil(m / gateRows) * gateStride, 4));
      const residual = stored(Float32Array.from(randn(batch * residualRows * n, 5)), half);
      const kChunk = Math.ceil(k / splits);
      const options: MatmulOptions = {
        layout,
        act,
        bias: has('bias'),
        gate: has('gate'),
        residual: has('residual'),
        pre: has('pre'),
        ...(has('glu') && { glu: true }),
        ...(has('sums') && { sums: true }),
        ...((halfA || halfB) && { dtype: halfA ? 'f16' : 'f32', outDtype: half ? 'f16' : 'f32' }),
        ...(halfA !== halfB && { bDtype: halfB ? 'f16' : 'f32' }),
        ...(shareA && { shareA }),
        ...(shareB && { shareB }),
      };
      const chosen = tile ?? chooseMatmul({ m, n, k, batch, split: splits > 1 }, capsOf(device));
      const kernel = precision
        ? (family ?? matrixMatmul).prepare(device, { ...options, precision, tile: chosen } as MatrixMatmulOptions)
        : matmul.prepare(device, { ...options, tile: chosen as MatmulTile });
      const ranges = tile?.kind === 'f32x3' && { ranges: Uint32Array.from([...largestOf(a), ...largestOf(b)]) };
      const outputs = splits * batch * m * n;
      const dims = {
        m,
        n,
        k,
        batch,
        k_chunk: kChunk,
        ...(has('gate') && { gate_rows: gateRows, gate_stride: gateStride, gate_offset: gateOffset }),
        ...(has('residual') && { residual_rows: residualRows }),
      };
      return prepared(kernel as typeof kernel & ReturnType<typeof matmul.prepare>, dims, {
        inputs: {
          a,
          b,
          ...(has('bias') && { bias }),
          ...(has('gate') && { gate }),
          ...(has('residual') && { residual }),
          ...ranges,
        },
        outputs: {
          out: has('glu') ? outputs / 2 : outputs,
          ...(has('pre') && { pre: outputs }),
          ...(has('sums') && { sums: splits * batch * m }),
        },
        halves: [...(halfA ? ['a'] : []), ...(halfB ? ['b'] : []), ...(half ? ['out', 'pre', 'residual'] : [])],
        oracle: (): { [binding: string]: ArrayLike<number> } => {
          const operands = {
            ...{ a, b, m, n, k, batch, transA: layout === 'tn', transB: layout === 'nt' },
            matrixOfA: matrixOf(shareA),
            matrixOfB: matrixOf(shareB),
          };
          const rows = extra.benchOnly ? Math.max(1, Math.min(m, Math.floor(ORACLE_TERMS / (n * k)))) : undefined;
          if (has('sums')) return { out: splitOracle(operands, kChunk), sums: rowSums(operands, kChunk) };
          if (splits > 1 && rows) return { out: oracle({ ...operands, rows, terms: kChunk }) };
          if (splits > 1) return { out: splitOracle(operands, kChunk) };
          const linear = { ...operands, rows, ...(has('bias') && { bias }) };
          if (has('glu')) return gated(oracle(linear), n, has('pre'));
          const gateOnly = new Float64Array(Math.ceil(m / gateRows) * n).map(
            (_, i) => gate[Math.floor(i / n) * gateStride + gateOffset + (i % n)],
          );
          const full = new Float64Array(batch * m * n).map((_, i) => {
            const row = Math.floor(i / n) % m;
            return residual[(Math.floor(i / (m * n)) * residualRows + (row % residualRows)) * n + (i % n)];
          });
          const out = oracle({
            ...linear,
            act,
            ...(has('gate') && { gate: gateOnly, gateRows }),
            ...(has('residual') && { residual: full }),
          });
          return { out, ...(has('pre') && { pre: oracle(linear) }) };
        },
      });
    },
  };
}

/** Bits of magnitudes as `largest` gives them: the greatest somewhere in 128. */
function largestOf(values: Float32Array): Uint32Array {
  const most = values.reduce((so, v) => Math.max(so, Math.abs(v)), 0);
  const parts = new Uint32Array(128);
  parts[77] = new Uint32Array(Float32Array.of(most).buffer)[0] as number;
  return parts;
}

function tileName(tile: MatrixMatmulTile): string {
  const vec = Object.entries(tile.vec ?? {}).flatMap(([dim, on]) => (on ? [dim] : []));
  const runs = 'runs' in tile && tile.runs;
  return [sizeName(tile), ...(vec.length > 0 ? [`vec ${vec.join('')}`] : []), ...(runs ? ['runs'] : [])].join(' ');
}

function sizeName(tile: MatrixMatmulTile): string {
  if (tile.kind === 'plain') return `plain ${tile.tm}x${tile.tn}`;
  if (tile.kind === 'tiled') return `tiled ${32 * tile.qm}x${32 * tile.qn}`;
  return tile.kind === 'matrix' ? `matrix ${32 * tile.tm}x${32 * tile.tn}` : 'matrix 64x64';
}

/** Forces a tile on a case, with vec4f reads wherever its shape allows them. */
function forced<T extends MatmulTile>({ m, n, k }: MatmulCaseShape, tile: T): T {
  return { ...tile, vec: { m: m % 4 === 0, n: n % 4 === 0, k: k % 4 === 0 } };
}

/** Each split's partial product, by zeroing A outside the split. */
function splitOracle(o: Parameters<typeof oracle>[0], kChunk: number): Float64Array {
  const parts: number[] = [];
  for (let begin = 0; begin < o.k; begin += kChunk) {
    const a = Float64Array.from(o.a, (v, i) => {
      const kk = o.transA ? Math.floor(i / o.m) % o.k : i % o.k;
      return kk >= begin && kk < begin + kChunk ? v : 0;
    });
    parts.push(...oracle({ ...o, a }));
  }
  return Float64Array.from(parts);
}

/** The sums of the rows of A^T, stored [batch, k, m], over each split of k. */
function rowSums({ a, m, k, batch = 1 }: Parameters<typeof oracle>[0], kChunk: number): Float64Array {
  const splits = Math.ceil(k / kChunk);
  const sums = new Float64Array(splits * batch * m);
  for (let i = 0; i < batch * k * m; i++) {
    const split = Math.floor((Math.floor(i / m) % k) / kChunk);
    const at = (split * batch + Math.floor(i / (m * k))) * m + (i % m);
    sums[at] = (sums[at] as number) + (a[i] as number);
  }
  return sums;
}

/** silu(x1) * x2 of rows of x1, then x2. */
function gated(x12: Float64Array, n: number, pre: boolean) {
  const silu = (x: number) => x / (1 + Math.exp(-x));
  const out = new Float64Array(x12.length / 2).map((_, i) => {
    const at = Math.floor(i / (n / 2)) * n + (i % (n / 2));
    return silu(x12[at] as number) * (x12[at + n / 2] as number);
  });
  return { out, ...(pre && { pre: x12 }) };
}

const ODD: MatmulCaseShape = { m: 41, n: 113, k: 257 };
const EVEN: MatmulCaseShape = { m: 44, n: 116, k: 60 };
const SMALL: MatmulTile = { kind: 'tiled', qm: 1, qn: 1 };
const LARGE: MatmulTile = { kind: 'tiled', qm: 2, qn: 2 };
const MIXED: MatmulCaseShape = { m: 132, n: 136, k: 20, gateRows: 7, residualRows: 13 };
const ALL: MatmulPart[] = ['bias', 'gelu', 'gate', 'residual', 'pre'];
const LAYOUTS: MatmulLayout[] = ['nn', 'nt', 'tn'];

/** Realistic sizes: square, the MLPs and attention products of TiT-S and TiT-XL, weight gradients, and the tiny preset. */
const BENCH: [MatmulLayout, MatmulPart[], MatmulCaseShape][] = [
  ['nn', [], { m: 1024, n: 1024, k: 1024 }],
  ['nt', [], { m: 4096, n: 4096, k: 4096 }],
  ['nn', [], { m: 4096, n: 4096, k: 4096 }],
  ['tn', [], { m: 4096, n: 4096, k: 4096 }],
  ['nt', ['bias'], { m: 8192, n: 1536, k: 384 }],
  ['nt', ['bias'], { m: 4096, n: 4608, k: 1152 }],
  ['nn', [], { m: 8192, n: 384, k: 1536 }],
  ['tn', [], { m: 1536, n: 384, k: 8192 }],
  ['tn', [], { m: 192, n: 192, k: 16384, splits: 29 }],
  ['nt', ['bias'], { m: 1024, n: 192, k: 64 }],
  ['nt', ['bias'], { m: 1568, n: 384, k: 128 }],
  ['nn', [], { m: 1568, n: 128, k: 384 }],
  ['tn', [], { m: 384, n: 128, k: 1568 }],
];

/** The tiled variants, forced: every layout and epilogue, with and without vec4f reads, tiles that nothing divides. */
const tiledCases = [
  ...LAYOUTS.flatMap((layout) => [
    matmulCase(layout, [], ODD, SMALL),
    matmulCase(layout, ALL, MIXED, forced(MIXED, SMALL)),
  ]),
  // 16 epilogues of a large tile are long to compile on a CPU: each part of them once.
  matmulCase('nn', ['gate', 'residual'], MIXED, forced(MIXED, LARGE)),
  matmulCase('nt', ['bias', 'gelu', 'pre'], MIXED, forced(MIXED, LARGE)),
  matmulCase('tn', ['bias', 'residual'], MIXED, forced(MIXED, LARGE)),
  matmulCase('nn', [], { m: 1, n: 1, k: 1 }, SMALL),
  matmulCase('nt', ['bias', 'silu', 'pre', 'residual'], { m: 5, n: 3, k: 113 }, SMALL),
  matmulCase('nn', ['gelu-erf'], { m: 37, n: 67, k: 11 }, SMALL),
  matmulCase('tn', ['gate'], { m: 131, n: 67, k: 33, gateRows: 8 }, { kind: 'tiled', qm: 2, qn: 1 }),
  matmulCase('nn', ['residual'], { m: 17, n: 131, k: 5, batch: 3 }, { kind: 'tiled', qm: 1, qn: 2 }),
  matmulCase(
    'nn',
    ['residual'],
    { m: 17, n: 67, k: 5, batch: 8, shareA: { each: 2, of: 2 }, shareB: { of: 1 } },
    SMALL,
  ),
  matmulCase('tn', [], { m: 68, n: 36, k: 257, batch: 2, splits: 3 }, forced({ m: 68, n: 36, k: 257 }, SMALL)),
  matmulCase('nt', [], { m: 40, n: 33, k: 64, splits: 2 }, forced({ m: 40, n: 33, k: 64 }, LARGE)),
  matmulCase('nt', ['bias', 'pre', 'glu'], { m: 67, n: 82, k: 33 }, LARGE),
  matmulCase(
    'nt',
    ['glu'],
    { m: 41, n: 144, k: 20 },
    forced({ m: 41, n: 144, k: 20 }, { kind: 'tiled', qm: 1, qn: 2 }),
  ),
  matmulCase('tn', ['sums'], { m: 37, n: 41, k: 67, splits: 3 }, SMALL),
  matmulCase('tn', ['sums'], { m: 132, n: 68, k: 49 }, forced({ m: 132, n: 68, k: 49 }, SMALL)),
  matmulCase('tn', ['sums'], { m: 132, n: 68, k: 49 }, forced({ m: 132, n: 68, k: 49 }, LARGE)),
  matmulCase('tn', ['sums'], { m: 37, n: 41, k: 67, splits: 3 }, { kind: 'tiled', qm: 2, qn: 1 }),
  matmulCase('tn', ['sums'], { m: 37, n: 141, k: 67 }, { kind: 'tiled', qm: 1, qn: 2 }),
  matmulCase('nt', [], { m: 65539, n: 4, k: 4 }, forced({ m: 65539, n: 4, k: 4 }, SMALL)),
];

/** Halves in storage: the forward's product, the gradient by x, and that by the weight, which is f32. */
const halfCases = [
  matmulCase('nt', ['f16'], ODD),
  matmulCase('nt', ['bias', 'gelu', 'pre', 'f16'], { m: 41, n: 3, k: 113 }),
  matmulCase('nt', ['bias', 'gate', 'residual', 'f16'], { m: 24, n: 41, k: 48, gateRows: 8, residualRows: 12 }),
  matmulCase('nn', ['f16'], { m: 41, n: 257, k: 113 }),
  matmulCase('nt', ['bias', 'pre', 'glu', 'f16'], { m: 33, n: 80, k: 20 }, { kind: 'tiled', qm: 1, qn: 2 }),
  matmulCase('nn', ['f16'], { m: 1, n: 1, k: 1 }),
  matmulCase('tn', ['f16 in'], { m: 113, n: 257, k: 41, splits: 2 }),
  matmulCase('tn', ['f16 in'], EVEN),
  ...LAYOUTS.map((layout) => matmulCase(layout, ['f16'], ODD, SMALL)),
  ...LAYOUTS.map((layout) => matmulCase(layout, [...ALL, 'f16'], MIXED, forced(MIXED, SMALL))),
  matmulCase('tn', ['f16 in'], { m: 68, n: 36, k: 257, splits: 2 }, forced({ m: 68, n: 36, k: 257 }, SMALL)),
  matmulCase('nn', ['f16 in'], { m: 131, n: 67, k: 33 }, { kind: 'tiled', qm: 2, qn: 1 }),
  matmulCase('tn', ['sums', 'f16 in'], { m: 132, n: 68, k: 49 }, forced({ m: 132, n: 68, k: 49 }, SMALL)),
  matmulCase('nt', ['f16 a'], EVEN),
  matmulCase('nn', ['f16 b'], ODD),
  matmulCase('nn', ['f16 b'], EVEN, forced(EVEN, SMALL)),
].map((c) => ({ ...c, needs: ['shader-f16'] }));

export const matmulCases: KernelCase[] = [
  matmulCase('nn', [], { m: 3, n: 41, k: 7 }, undefined, { smoke: true }),
  matmulCase('nn', [], { m: 1, n: 1, k: 1 }),
  ...LAYOUTS.flatMap((layout) => [matmulCase(layout, [], ODD), matmulCase(layout, [], EVEN)]),
  matmulCase('nt', ['bias', 'gelu', 'pre'], { m: 113, n: 41, k: 3 }),
  matmulCase('nt', ['bias', 'silu', 'pre'], { m: 41, n: 3, k: 113 }),
  matmulCase('nt', ['bias', 'relu', 'pre'], { m: 41, n: 113, k: 3 }),
  matmulCase('nt', ['bias', 'gelu-erf', 'pre'], { m: 43, n: 37, k: 3 }),
  matmulCase('nt', ['sigmoid'], { m: 43, n: 37, k: 3 }),
  matmulCase('nt', ['bias', 'gate', 'residual', 'pre'], { m: 24, n: 41, k: 48, gateRows: 8 }),
  matmulCase('nt', ['bias', 'residual'], { m: 33, n: 48, k: 16, residualRows: 11 }),
  matmulCase('nn', ['residual'], { m: 17, n: 9, k: 5, batch: 7 }),
  matmulCase('tn', [], { m: 41, n: 37, k: 257, batch: 2, splits: 3 }),
  matmulCase('nt', ALL, { m: 130, n: 113, k: 20, gateRows: 8, residualRows: 65 }),
  matmulCase('nt', [], { m: 65539, n: 3, k: 2 }, { kind: 'plain', tm: 1, tn: 4, wgX: 4, wgY: 1 }),
  matmulCase('nn', [], { m: 17, n: 9, k: 5, batch: 6, shareA: { each: 3 }, shareB: { of: 3 } }),
  matmulCase('nt', ['bias'], { m: 41, n: 113, k: 7, batch: 8, shareA: { of: 1 }, shareB: { each: 2, of: 2 } }),
  matmulCase('tn', [], { m: 16, n: 20, k: 33, batch: 4, splits: 2, shareA: { each: 2 }, shareB: { of: 1 } }),
  ...tiledCases,
  ...halfCases,
  ...BENCH.map((shape) => matmulCase(...shape, undefined, { benchOnly: true })),
];

/** Cases of products on subgroup matrices: every layout, epilogue, storage and tile, at sizes that no tile divides. */
import type { MatmulLayout } from '../../src/kernels/matmul.ts';
import type { MatrixMatmulTile, MatrixTile, Precision } from '../../src/kernels/matmul_matrix.ts';
import type { KernelCase } from './case.ts';
import { type MatmulCaseShape, type MatmulHow, type MatmulPart, matmulCase } from './matmul.ts';

const LAYOUTS: MatmulLayout[] = ['nn', 'nt', 'tn'];
const EPILOGUE: MatmulPart[] = ['bias', 'gelu', 'gate', 'residual', 'pre'];
const FEATURES = ['shader-f16', 'subgroups', 'chromium-experimental-subgroup-matrix'];
const ODD: MatmulCaseShape = { m: 141, n: 83, k: 67 };
const EIGHTS: MatmulCaseShape = { m: 72, n: 136, k: 104, gateRows: 7, residualRows: 13 };

/** Halves of columns that no tile divides, single numbers or vectors of 4. */
const GLU_ODD: MatmulCaseShape = { m: 141, n: 166, k: 67 };
const GLU_EIGHTS: MatmulCaseShape = { m: 72, n: 328, k: 104 };

/** How operands and the result may be stored beside f32: halves on either side or both. */
const STORED: readonly MatmulPart[][] = [['f16 a'], ['f16 b'], ['f16 in'], ['f16']];
/** The larger tiles. */
const TILES: readonly Pick<MatrixTile, 'tm' | 'tn'>[] = [
  { tm: 2, tn: 4 },
  { tm: 4, tn: 2 },
  { tm: 4, tn: 4 },
];

/** The tile with reads of eight wherever the shape allows them. */
export function inEights<T extends MatrixMatmulTile>({ m, n, k }: MatmulCaseShape, tile: T): T {
  return { ...tile, vec: { m: m % 8 === 0, n: n % 8 === 0, k: k % 8 === 0 } };
}

type Size = Pick<MatrixTile, 'tm' | 'tn'>;

/** One product in one of the two precisions, its tile forced. */
export function matrixCase(
  how: MatmulHow & { precision: Precision },
  layout: MatmulLayout,
  parts: MatmulPart[],
  shape: MatmulCaseShape,
  size: Size = { tm: 2, tn: 2 },
): KernelCase {
  const tile: MatrixMatmulTile = how.precision === 'f32x3' ? { kind: 'f32x3' } : { kind: 'matrix', ...size };
  const needs = how.family ? {} : { needs: FEATURES };
  return matmulCase(layout, parts, shape, inEights(shape, tile), { tolerance: 5e-6, ...needs }, how);
}

const SHARED: MatmulCaseShape = { m: 17, n: 67, k: 5, batch: 8, shareA: { each: 2, of: 2 }, shareB: { of: 1 } };
const SPLIT: MatmulCaseShape = { m: 65, n: 24, k: 300, batch: 2, splits: 3 };
const [F16, F32X3] = [{ precision: 'f16' }, { precision: 'f32x3' }] as const;

export const matrixCases: KernelCase[] = [
  ...LAYOUTS.flatMap((layout) =>
    [F16, F32X3].flatMap((how) => [
      matrixCase(how, layout, [], ODD),
      matrixCase(how, layout, EPILOGUE, EIGHTS),
      matrixCase(how, layout, [], { m: 1, n: 1, k: 1 }),
      matrixCase(how, layout, [], SPLIT),
    ]),
  ),
  ...LAYOUTS.flatMap((layout) =>
    STORED.flatMap((stored) => [matrixCase(F16, layout, stored, EIGHTS), matrixCase(F16, layout, stored, ODD)]),
  ),
  ...TILES.flatMap((size, i) => [
    matrixCase(F16, LAYOUTS[i] as MatmulLayout, ['f16 in'], { m: 136, n: 264, k: 40 }, size),
    matrixCase(F16, LAYOUTS[i] as MatmulLayout, EPILOGUE, { ...ODD, gateRows: 7, residualRows: 141 }, size),
  ]),
  matrixCase(F16, 'nt', ['bias', 'gate', 'residual', 'f16'], { m: 72, n: 72, k: 64, gateRows: 8, residualRows: 12 }),
  // Gates that change between blocks of rows, and within none.
  matrixCase(F16, 'nn', ['bias', 'gate', 'residual'], { m: 89, n: 72, k: 40, gateRows: 32 }),
  matrixCase(F32X3, 'nn', ['bias', 'gate', 'residual'], { m: 89, n: 72, k: 40, gateRows: 32 }),
  ...[{ tm: 2, tn: 2 } as const, ...TILES].flatMap((size) => [
    matrixCase(F16, 'nt', ['bias', 'pre', 'glu'], GLU_ODD, size),
    matrixCase(F16, 'nt', ['bias', 'pre', 'glu', 'f16'], GLU_EIGHTS, size),
  ]),
  ...[{ tm: 2, tn: 2 } as const, ...TILES].flatMap((size) => [
    matrixCase(F16, 'tn', ['sums', 'f16 in'], { m: 141, n: 166, k: 131, splits: 2 }, size),
    matrixCase(F16, 'tn', ['sums', 'f16 a'], { m: 264, n: 72, k: 104 }, size),
  ]),
  matrixCase(F16, 'tn', ['sums'], { m: 1, n: 1, k: 1 }),
  matrixCase(F16, 'nt', ['glu', 'f16 in'], { m: 1, n: 2, k: 1 }),
  matrixCase(F16, 'nt', ['glu', 'f16'], { m: 141, n: 144, k: 67 }, { tm: 4, tn: 4 }),
  matrixCase(F16, 'nn', ['residual'], SHARED),
  matrixCase(F32X3, 'nn', ['residual'], SHARED),
  matrixCase(F32X3, 'nt', ['bias', 'silu', 'pre', 'residual'], { m: 5, n: 3, k: 613 }),
  matrixCase(F32X3, 'tn', [], { m: 8, n: 16, k: 1544 }),
];

/** Sizes of models, timed by the bench alone: halves in and out as a step in f16 has them, and f32 in three products. */
const BENCH: readonly [m: number, n: number, k: number][] = [
  [4096, 4096, 4096],
  [8192, 1536, 384],
  [4096, 4608, 1152],
];

export const matrixBenchCases: KernelCase[] = BENCH.flatMap(([m, n, k]) =>
  LAYOUTS.flatMap((layout) =>
    (
      [
        [F16, ['f16']],
        [F16, ['f16 in']],
        ...(layout === 'tn' ? [[F16, ['sums', 'f16 in']] as const] : []),
        [F16, []],
        [F32X3, []],
      ] as const
    ).map(([how, parts]) => {
      const kase = matrixCase(how, layout, [...parts], { m, n, k }, { tm: 4, tn: 4 });
      return {
        ...kase,
        tolerance: 2e-5,
        toleranceFrom: 'a tensor core truncates as it adds, once in 16 of k',
        benchOnly: true,
        forced: false,
      };
    }),
  ),
);

/** A few of them over emulated shaders, which take seconds each to compile. */
export function emulatedCases(family: NonNullable<MatmulHow['family']>): KernelCase[] {
  const [f16, f32x3] = [
    { ...F16, family },
    { ...F32X3, family },
  ];
  return [
    matrixCase(f16, 'nn', EPILOGUE, EIGHTS),
    matrixCase(f16, 'nn', ['bias', 'gate', 'residual'], { m: 40, n: 24, k: 40, gateRows: 16 }),
    matrixCase(f16, 'nt', ['f16 in'], { ...ODD, k: 72 }),
    matrixCase(f16, 'tn', ['f16 b'], SPLIT),
    matrixCase(f16, 'tn', ['sums', 'f16 in'], { m: 141, n: 83, k: 131, splits: 2 }),
    matrixCase(f16, 'tn', ['sums', 'f16 a'], EIGHTS),
    matrixCase(f16, 'nt', ['bias', 'pre', 'glu'], GLU_ODD),
    matrixCase(f16, 'nt', ['bias', 'pre', 'glu', 'f16'], GLU_EIGHTS),
    matrixCase(f16, 'nt', ['glu', 'f16 in'], { m: 1, n: 2, k: 1 }),
    matrixCase(f32x3, 'nt', EPILOGUE, EIGHTS),
    matrixCase(f32x3, 'nn', ['bias', 'gate', 'residual'], { m: 40, n: 24, k: 40, gateRows: 32 }),
    matrixCase(f32x3, 'tn', [], { ...SPLIT, k: 1200 }),
  ];
}

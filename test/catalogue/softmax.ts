import { capsOf } from '../../src/kernel/index.ts';
import {
  chooseSoftmax,
  crossEntropy,
  crossEntropyBackward,
  type SoftmaxTile,
  softmax,
  softmaxBackward,
} from '../../src/kernels/softmax.ts';
import {
  crossEntropyGradient,
  crossEntropyStats,
  crossEntropy as lossOracle,
  randn,
  softmaxGradient,
  softmax as softmaxOracle,
} from '../reference/index.ts';
import { type HostArray, type KernelCase, prepared } from './case.ts';

export interface SoftmaxSizes {
  rows: number;
  cols: number;
  log?: boolean;
  scale?: number;
  /** Without one, that of the device. */
  tile?: SoftmaxTile;
}

const tileName = (tile: SoftmaxTile | undefined) => tile && `${tile.lanes} lanes ${tile.quads ?? 0} quads`;
/** Wide enough that the probabilities of a row differ by many powers of ten. */
const logitsOf = (count: number) => Float32Array.from(randn(count, 1), (v) => 4 * v);
/** Rows of which the oracle of a case for the bench computes the first. */
const FIRST = 1 << 20;
const oracleRows = (rows: number, cols: number, { benchOnly }: Partial<KernelCase>) =>
  benchOnly ? Math.max(1, Math.min(rows, Math.floor(FIRST / cols))) : rows;

export function softmaxCase(backward: boolean, o: SoftmaxSizes, extra: Partial<KernelCase> = {}): KernelCase {
  const { rows, cols, log = false, scale = 1, tile } = o;
  const count = rows * cols;
  return {
    kernel: backward ? 'softmaxBackward' : 'softmax',
    name: [log ? 'log' : 'plain', `${rows}x${cols}`, scale !== 1 && `scale ${scale}`, tileName(tile)]
      .filter(Boolean)
      .join(' '),
    variant: log ? 'log' : 'plain',
    shape: [rows, cols],
    tolerance: 4e-6,
    toleranceFrom: 'f32 rounding of differences of some 20, the argument of exp, 2e-6; and of a sum of cols terms',
    flops: count * (backward ? 5 : 8),
    bytes: count * (backward ? 12 : 8),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const options = { log, tile: tile ?? chooseSoftmax(cols, capsOf(device)) };
      const x = logitsOf(count);
      const first = oracleRows(rows, cols, extra);
      const dims = { rows, cols, scale };
      const problem = { rows: first, cols, log, scale };
      if (!backward)
        return prepared(softmax.prepare(device, options), dims, {
          inputs: { x },
          outputs: { y: count },
          oracle: () => ({ y: softmaxOracle({ ...problem, x }) }),
        });
      const y = Float32Array.from(softmaxOracle({ ...problem, rows, x }));
      const dy = Float32Array.from(randn(count, 2));
      return prepared(softmaxBackward.prepare(device, options), dims, {
        inputs: { y, dy },
        outputs: { dx: count },
        oracle: () => ({ dx: softmaxGradient({ ...problem, y }, dy) }),
      });
    },
  };
}

export interface CrossEntropySizes {
  rows: number;
  cols: number;
  soft?: boolean;
  smoothing?: number;
  ignore?: boolean;
  stats?: boolean;
  tile?: SoftmaxTile;
}

export function crossEntropyCase(backward: boolean, o: CrossEntropySizes, extra: Partial<KernelCase> = {}): KernelCase {
  const { rows, cols, soft = false, smoothing = 0, ignore = false, stats = true, tile } = o;
  const count = rows * cols;
  const parts = [soft ? 'soft' : 'labels', smoothing > 0 && 'smoothed', ignore && 'ignore', !stats && 'no stats'];
  const reads = soft ? 2 : smoothing > 0 && !backward ? 2 : 1;
  return {
    kernel: backward ? 'crossEntropyBackward' : 'crossEntropy',
    name: [parts.filter(Boolean).join('+'), `${rows}x${cols}`, tileName(tile)].filter(Boolean).join(' '),
    variant: parts.filter(Boolean).join('+'),
    shape: [rows, cols],
    tolerance: 4e-6,
    toleranceFrom: 'f32 rounding of differences of some 20, the argument of exp, 2e-6; and of a sum of cols terms',
    flops: count * 6,
    bytes: count * 4 * (reads + (backward ? 1 : 0)),
    forced: tile !== undefined,
    ...extra,
    prepare: (device) => {
      const logits = logitsOf(count);
      const first = oracleRows(rows, cols, extra);
      const index = Uint32Array.from({ length: rows }, (_, r) => (r * 7919 + 3) % cols);
      const ignore_index = ignore ? (index[Math.floor(rows / 2)] as number) : 0;
      const compared: { [binding: string]: HostArray } = soft
        ? { targets: Float32Array.from(randn(count, 3), (v) => Math.abs(v) / cols) }
        : { labels: index };
      const problem = {
        rows: first,
        cols,
        logits,
        ...compared,
        smoothing,
        ...(ignore && { ignoreIndex: ignore_index }),
      };
      const dims = { rows, cols, smoothing, ignore_index };
      if (!backward)
        return prepared(
          crossEntropy.prepare(device, { soft, ignore, stats, tile: tile ?? chooseSoftmax(cols, capsOf(device)) }),
          dims,
          {
            inputs: { logits, ...compared },
            outputs: { loss: rows, ...(stats && { stats: 2 * rows }) },
            oracle: () => ({ loss: lossOracle(problem), ...(stats && { stats: crossEntropyStats(problem) }) }),
          },
        );
      const dloss = Float32Array.from(randn(rows, 4));
      return prepared(crossEntropyBackward.prepare(device, { soft, ignore }), dims, {
        inputs: {
          logits,
          ...compared,
          dloss,
          stats: Float32Array.from(crossEntropyStats({ ...problem, rows })),
        },
        outputs: { dlogits: count },
        oracle: () => ({ dlogits: crossEntropyGradient(problem, dloss) }),
      });
    },
  };
}

const BENCH = { benchOnly: true };

export const softmaxCases: KernelCase[] = [false, true].flatMap((backward) => [
  softmaxCase(backward, { rows: 3, cols: 41 }, { smoke: true }),
  softmaxCase(backward, { rows: 3, cols: 41, log: true }, { smoke: true }),
  softmaxCase(backward, { rows: 1, cols: 1 }),
  softmaxCase(backward, { rows: 113, cols: 1, log: true }),
  softmaxCase(backward, { rows: 41, cols: 257, scale: 0.5 }),
  softmaxCase(backward, { rows: 5, cols: 1153, log: true, scale: -2 }),
  softmaxCase(backward, { rows: 65539, cols: 3 }),
  softmaxCase(backward, { rows: 1, cols: 1_000_003 }),
  ...[false, true].flatMap((log) => [
    softmaxCase(backward, { rows: 7, cols: 61, log, tile: { lanes: 16, rows: 4, quads: 1 } }),
    softmaxCase(backward, { rows: 5, cols: 113, log, scale: 0.5, tile: { lanes: 16, rows: 4, quads: 2 } }),
    softmaxCase(backward, { rows: 3, cols: 1031, log, tile: { lanes: 64, rows: 2, quads: 0 } }),
  ]),
  softmaxCase(backward, { rows: 2, cols: 2048, tile: { lanes: 256, rows: 1, quads: 2 } }),
  softmaxCase(backward, { rows: 3, cols: 1, tile: { lanes: 16, rows: 16, quads: 1 } }),
  softmaxCase(backward, { rows: 16384, cols: 256 }, BENCH),
  softmaxCase(backward, { rows: 16384, cols: 1024 }, BENCH),
  softmaxCase(backward, { rows: 512, cols: 50257 }, BENCH),
  softmaxCase(backward, { rows: 512, cols: 50257, log: true }, BENCH),
]);

export const crossEntropyCases: KernelCase[] = [false, true].flatMap((backward) => [
  crossEntropyCase(backward, { rows: 3, cols: 41 }, { smoke: true }),
  crossEntropyCase(backward, { rows: 1, cols: 1 }),
  crossEntropyCase(backward, { rows: 41, cols: 113, smoothing: 0.1 }),
  crossEntropyCase(backward, { rows: 41, cols: 7, ignore: true, smoothing: 0.1 }),
  crossEntropyCase(backward, { rows: 41, cols: 11, ignore: true }),
  crossEntropyCase(backward, { rows: 5, cols: 257, soft: true }),
  crossEntropyCase(backward, { rows: 7, cols: 41, soft: true, smoothing: 0.3 }),
  crossEntropyCase(backward, { rows: 65539, cols: 3 }),
  crossEntropyCase(backward, { rows: 1, cols: 1_000_003, smoothing: 0.1 }),
  ...(backward
    ? []
    : [
        crossEntropyCase(backward, { rows: 41, cols: 10, stats: false }),
        crossEntropyCase(backward, { rows: 7, cols: 61, tile: { lanes: 16, rows: 4 } }),
        crossEntropyCase(backward, { rows: 7, cols: 61, soft: true, smoothing: 0.1, tile: { lanes: 16, rows: 4 } }),
        crossEntropyCase(backward, {
          rows: 2,
          cols: 1031,
          smoothing: 0.1,
          ignore: true,
          tile: { lanes: 256, rows: 1 },
        }),
      ]),
  crossEntropyCase(backward, { rows: 16384, cols: 1000, smoothing: 0.1 }, BENCH),
  crossEntropyCase(backward, { rows: 1024, cols: 50257 }, BENCH),
  crossEntropyCase(backward, { rows: 1024, cols: 50257, soft: true }, BENCH),
]);

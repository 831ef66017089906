import { fold, pool, poolBackward, unfold, windowDims } from '../../src/kernels/window.ts';
import { folded, pooled, randn, unfolded, type WindowSizes } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

type WindowKernel = 'unfold' | 'fold' | 'pool' | 'poolBackward';

const EXACT = { tolerance: 0, toleranceFrom: 'numbers are moved or compared, none changes' };
const SUMS = { tolerance: 1e-6, toleranceFrom: 'f32 rounding of sums of at most a window of numbers' };

function windowCase(
  kernel: WindowKernel,
  o: WindowSizes,
  kind: 'max' | 'mean' = 'max',
  extra: Partial<KernelCase> = {},
): KernelCase {
  const dims = windowDims(o);
  const pixels = o.batch * o.height * o.width * o.channels;
  const outputs = o.batch * dims.out_h * dims.out_w * o.channels;
  const rows = outputs * o.kernel_h * o.kernel_w;
  const pools = kernel === 'pool' || kernel === 'poolBackward';
  const exact = kernel === 'unfold' || (kernel === 'pool' && kind === 'max');
  return {
    kernel,
    name: `${pools ? `${kind} ` : ''}${o.kernel_h}x${o.kernel_w}/${o.stride} of ${o.batch}x${o.height}x${o.width}x${o.channels}`,
    variant: pools ? kind : 'window',
    shape: [o.batch, o.height, o.width, o.channels],
    ...(exact ? EXACT : SUMS),
    flops: exact ? 0 : rows,
    bytes: 4 * (pixels + (pools ? outputs : rows) + (kernel === 'poolBackward' ? pixels : 0)),
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(pixels, 1));
      const up = Float32Array.from(randn(pools ? outputs : rows, 2));
      // Of a case for the bench the oracle computes the first images.
      const part = extra.benchOnly ? { ...o, batch: 1 } : o;
      if (kernel === 'unfold')
        return prepared(unfold.prepare(device), dims, {
          inputs: { x },
          outputs: { rows },
          oracle: () => ({ rows: unfolded(x, part) }),
        });
      if (kernel === 'fold')
        return prepared(fold.prepare(device), dims, {
          inputs: { rows: up },
          outputs: { x: pixels },
          oracle: () => ({ x: folded(up, part) }),
        });
      if (kernel === 'pool')
        return prepared(pool.prepare(device, { kind }), dims, {
          inputs: { x },
          outputs: { y: outputs },
          oracle: () => ({ y: pooled(x, part, kind).y }),
        });
      return prepared(poolBackward.prepare(device, { kind }), dims, {
        inputs: { x, dy: up },
        outputs: { dx: pixels },
        oracle: () => ({ dx: pooled(x, part, kind, up).dx }),
      });
    },
  };
}

const window = (kernel_h: number, kernel_w: number, stride: number, pad_h: number, pad_w: number) => ({
  kernel_h,
  kernel_w,
  stride,
  pad_h,
  pad_w,
});
const images = (batch: number, height: number, width: number, channels: number) => ({ batch, height, width, channels });

const SIZES: WindowSizes[] = [
  { ...images(1, 1, 1, 1), ...window(1, 1, 1, 0, 0) },
  { ...images(2, 7, 11, 41), ...window(3, 3, 1, 1, 1) },
  { ...images(1, 13, 5, 7), ...window(1, 7, 1, 0, 3) },
  { ...images(3, 11, 11, 1), ...window(5, 3, 3, 2, 0) },
  { ...images(1, 9, 8, 2), ...window(2, 2, 3, 0, 0) }, // pixels that no window covers
];
const SMOKE = { ...images(2, 5, 6, 3), ...window(3, 3, 2, 1, 1) };
const WIDE = { ...images(65539, 1, 1, 257), ...window(1, 1, 1, 0, 0) }; // more than 65,535 workgroups
const BENCH = { ...images(64, 32, 32, 192), ...window(3, 3, 1, 1, 1) };

export const windowCases: KernelCase[] = [
  ...(['unfold', 'fold'] as const).flatMap((kernel) => [
    windowCase(kernel, SMOKE, 'max', { smoke: true }),
    ...SIZES.map((sizes) => windowCase(kernel, sizes)),
    windowCase(kernel, WIDE, 'max', { benchOnly: true }),
    windowCase(kernel, BENCH, 'max', { benchOnly: true }),
  ]),
  ...(['pool', 'poolBackward'] as const).flatMap((kernel) =>
    (['max', 'mean'] as const).flatMap((kind) => [
      windowCase(kernel, SMOKE, kind, { smoke: true }),
      ...SIZES.map((sizes) => windowCase(kernel, sizes, kind)),
      windowCase(kernel, BENCH, kind, { benchOnly: true }),
    ]),
  ),
];

import { patchify, unpatchify } from '../../src/kernels/patch.ts';
import { resizeRows } from '../../src/kernels/resize.ts';
import { type ImageSizes, patches, randn, resized } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

const EXACT = { tolerance: 0, toleranceFrom: 'a permutation: no number changes' };

function patchCase(
  kernel: 'patchify' | 'unpatchify',
  order: 'chw' | 'hwc',
  o: ImageSizes,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const count = o.batch * o.channels * o.height * o.width;
  const shape = [o.batch, o.channels, o.height, o.width];
  return {
    kernel,
    name: `${order} ${shape.join('x')}/${o.patch}`,
    variant: order,
    shape,
    ...EXACT,
    flops: 0,
    bytes: count * 8,
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(count, 1));
      const tokens = Float32Array.from(patches(x, o, order === 'hwc'));
      const dims = { batch: o.batch, channels: o.channels, height: o.height, width: o.width, patch_size: o.patch };
      const [from, to] = kernel === 'patchify' ? [{ x }, { tokens }] : [{ tokens }, { x }];
      const made = kernel === 'patchify' ? patchify : unpatchify;
      const outputs = Object.fromEntries(Object.keys(to).map((name) => [name, count]));
      return prepared(made.prepare(device, { order }) as never, dims as never, {
        inputs: from as { [binding: string]: Float32Array },
        outputs,
        oracle: () => to as { [binding: string]: Float32Array },
      });
    },
  };
}

export const patchCases: KernelCase[] = (['patchify', 'unpatchify'] as const).flatMap((kernel) => [
  patchCase(kernel, 'chw', { batch: 2, channels: 3, height: 4, width: 6, patch: 2 }, { smoke: true }),
  patchCase(kernel, 'hwc', { batch: 1, channels: 1, height: 1, width: 1, patch: 1 }),
  patchCase(kernel, 'hwc', { batch: 3, channels: 3, height: 41, width: 82, patch: 41 }),
  patchCase(kernel, 'chw', { batch: 1, channels: 1, height: 113, width: 113, patch: 113 }),
  patchCase(kernel, 'hwc', { batch: 65539, channels: 1, height: 1, width: 3, patch: 1 }),
  patchCase(kernel, 'chw', { batch: 257, channels: 3, height: 4, width: 4, patch: 4 }),
  patchCase(kernel, 'hwc', { batch: 256, channels: 4, height: 32, width: 32, patch: 2 }, { benchOnly: true }),
]);

function resizeCase(rows: number, from: number, to: number, extra: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'resizeRows',
    name: `${rows}x${from} to ${to}`,
    variant: from < to ? 'pad' : 'cut',
    shape: [rows, from, to],
    ...EXACT,
    flops: 0,
    bytes: rows * (Math.min(from, to) + to) * 4,
    ...extra,
    prepare: (device) => {
      const x = Float32Array.from(randn(rows * from, 1));
      return prepared(
        resizeRows.prepare(device),
        { rows, cols_in: from, cols_out: to },
        { inputs: { x }, outputs: { out: rows * to }, oracle: () => ({ out: resized(x, rows, from, to) }) },
      );
    },
  };
}

export const resizeCases: KernelCase[] = [
  resizeCase(3, 41, 7, { smoke: true }),
  resizeCase(1, 1, 1),
  resizeCase(41, 3, 113),
  resizeCase(113, 257, 41),
  resizeCase(65539, 2, 3),
  resizeCase(65536, 128, 64, { benchOnly: true }),
];

import { embedding, embeddingBackward, timestepEmbedding } from '../../src/kernels/embedding.ts';
import { lookup, lookupGradient, randn, sinusoids, uniform } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

const EXACT = { tolerance: 0, toleranceFrom: 'a copy: no number changes' };
const SUM = { tolerance: 1e-6, toleranceFrom: 'f32 rounding of a sum, 8 ulp' };
const SINES = {
  tolerance: 1e-6,
  toleranceFrom: 'exp of the frequency: WGSL allows 3 + 2 |x| ulp, |x| up to 9.2; sines of our own to 2 ulp',
};

function embeddingCase(
  kernel: 'embedding' | 'embeddingBackward',
  rows: number,
  cols: number,
  count: number,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const forward = kernel === 'embedding';
  return {
    kernel,
    name: `${count} of ${rows}x${cols}`,
    variant: 'f32',
    shape: [rows, cols, count],
    ...(forward ? EXACT : SUM),
    flops: forward ? 0 : count * cols,
    bytes: (forward ? count * cols * 2 : (count + rows) * cols) * 4 + count * 4,
    ...extra,
    prepare: (device) => {
      const index = Uint32Array.from(uniform(count, 1), (u) => Math.floor(u * rows));
      const dims = { rows, cols, count };
      if (forward) {
        const table = Float32Array.from(randn(rows * cols, 2));
        return prepared(embedding.prepare(device), dims, {
          inputs: { table, index },
          outputs: { out: count * cols },
          oracle: () => ({ out: lookup(table, index, cols) }),
        });
      }
      const dout = Float32Array.from(randn(count * cols, 2));
      return prepared(embeddingBackward.prepare(device), dims, {
        inputs: { index, dout },
        outputs: { dtable: rows * cols },
        oracle: () => ({ dtable: lookupGradient(index, dout, rows, cols) }),
      });
    },
  };
}

function timesCase(count: number, dim: number, extra: Partial<KernelCase> = {}, longest = 1): KernelCase {
  return {
    kernel: 'timestepEmbedding',
    name: longest === 1 ? `${count}x${dim}` : `${count}x${dim}, times to ${longest}`,
    variant: 'f32',
    shape: [count, dim],
    ...SINES,
    flops: count * dim * 8,
    bytes: count * (dim + 1) * 4,
    ...extra,
    prepare: (device) => {
      const t = Float32Array.from(uniform(count, 1), (u) => longest * u);
      return prepared(
        timestepEmbedding.prepare(device),
        { count, dim, max_period: 1e4 },
        { inputs: { t }, outputs: { out: count * dim }, oracle: () => ({ out: sinusoids(t, dim, 1e4) }) },
      );
    },
  };
}

export const embeddingCases: KernelCase[] = [
  ...(['embedding', 'embeddingBackward'] as const).flatMap((kernel) => [
    embeddingCase(kernel, 3, 7, 5, { smoke: true }),
    embeddingCase(kernel, 1, 1, 1),
    embeddingCase(kernel, 41, 113, 257),
    embeddingCase(kernel, 11, 3, 41),
    embeddingCase(kernel, 257, 41, 3),
    embeddingCase(kernel, 1001, 1152, 256, { benchOnly: true }),
  ]),
  embeddingCase('embedding', 5, 3, 65539),
  embeddingCase('embeddingBackward', 65539, 3, 41),
  timesCase(3, 8, { smoke: true }),
  timesCase(1, 2),
  timesCase(41, 257),
  timesCase(113, 256),
  timesCase(65539, 3),
  timesCase(41, 64, { tolerance: 5e-4, toleranceFrom: 'angles to 4,000 in f32: 2 ulp of 4,000' }, 4000),
  timesCase(1024, 256, { benchOnly: true }),
];

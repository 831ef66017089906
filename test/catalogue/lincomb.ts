import { lincomb } from '../../src/kernels/lincomb.ts';
import { combined, randn } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

interface Sizes {
  inputs: 1 | 2 | 3 | 4;
  batch: number;
  n: number;
  /** 0: one set of coefficients for all samples. */
  stride: number;
  /** Where the result starts in a buffer that holds other numbers. */
  outOffset?: number;
  clamped?: boolean;
}

function lincombCase(
  { inputs, batch, n, stride, outOffset = 0, clamped = false }: Sizes,
  extra: Partial<KernelCase> = {},
): KernelCase {
  return {
    kernel: 'lincomb',
    name: `${inputs} of ${batch}x${n}${stride === 0 ? ' shared' : ''}${outOffset > 0 ? ` into ${outOffset}` : ''}${clamped ? ' clamped' : ''}`,
    variant: `${inputs}`,
    shape: [batch, n],
    tolerance: 1e-6,
    toleranceFrom: 'f32 rounding of four products and their sum, 8 ulp',
    flops: batch * n * (2 * inputs - 1),
    bytes: batch * n * 4 * (inputs + 1),
    ...extra,
    prepare: (device) => {
      const offsets = [0, 3, 5, 1]; // every input starts somewhere else in its buffer
      const all = batch * n;
      const u = Array.from({ length: inputs }, (_, k) => Float32Array.from(randn(all + (offsets[k] as number), k + 1)));
      const coefs = Float32Array.from(randn((batch - 1) * stride + 3 + inputs, 9));
      const [offset0, offset1, offset2, offset3] = offsets as [number, number, number, number];
      const dims = {
        batch,
        n,
        coef_stride: stride,
        coef_offset: 2,
        offset0,
        offset1,
        offset2,
        offset3,
        out_offset: outOffset,
      };
      const prior = Float32Array.from(randn(outOffset + all, 10)); // what lies before the result stays
      const origin = Float32Array.from(randn(all, 11));
      const oracle = () => {
        const out = Float64Array.from(prior);
        out.set(
          combined({
            batch,
            n,
            terms: u,
            offsets,
            coefs,
            coefStride: stride,
            coefOffset: 2,
            ...(clamped && { origin }),
          }),
          outOffset,
        );
        return { out };
      };
      const inputsByName = Object.fromEntries(u.map((from, k) => [`u${k}`, from]));
      return prepared(lincomb.prepare(device, { inputs, clamped }), dims, {
        inputs: { ...inputsByName, coefs, ...(clamped && { origin }), ...(outOffset > 0 && { out: prior }) },
        outputs: { out: outOffset + all },
        oracle,
      });
    },
  };
}

export const lincombCases: KernelCase[] = [
  lincombCase({ inputs: 2, batch: 3, n: 41, stride: 4 }, { smoke: true }),
  lincombCase({ inputs: 1, batch: 1, n: 1, stride: 1 }),
  lincombCase({ inputs: 3, batch: 41, n: 113, stride: 3 }),
  lincombCase({ inputs: 4, batch: 3, n: 4099, stride: 0 }),
  lincombCase({ inputs: 2, batch: 3, n: 257, stride: 2, outOffset: 113 }),
  lincombCase({ inputs: 4, batch: 41, n: 113, stride: 6, clamped: true }),
  lincombCase({ inputs: 4, batch: 65539, n: 1, stride: 4 }),
  lincombCase({ inputs: 2, batch: 256, n: 4096, stride: 2 }, { benchOnly: true }),
];

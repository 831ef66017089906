/** Cases of the second pass of convolutions in parts of k: every epilogue, and pixels and channels that no workgroup divides. */
import { type ConvFinishOptions, conv2dFinish } from '../../src/kernels/conv_matrix.ts';
import { type Act, pointwise, randn, siluSlope } from '../reference/index.ts';
import { type KernelCase, prepared } from './case.ts';

const [OUT_SCALE, RESIDUAL_SCALE] = [0.75, -1.25];

interface Size {
  m: number;
  n: number;
  splits: number;
}

function conv2dFinishCase({ m, n, splits }: Size, o: ConvFinishOptions, extra: Partial<KernelCase> = {}): KernelCase {
  const parts = Object.entries(o).map(([name, value]) => (value === true ? name : value));
  const made = m * n;
  return {
    kernel: 'conv2dFinish',
    name: `${parts.join('+')}${parts.length > 0 ? ' ' : ''}${splits} of ${m}x${n}`,
    variant: ['sum', ...parts].join('+'),
    shape: [splits, m, n],
    tolerance: 5e-7,
    toleranceFrom: 'f32 rounding of a sum of the parts and of each step after it',
    flops: splits * made,
    bytes: 4 * made * (splits + 1 + Number(o.pre ?? false) + Number(o.residual ?? false) + Number(o.slope ?? false)),
    ...extra,
    prepare: (device) => {
      const floats = (count: number, seed: number) => Float32Array.from(randn(count, seed));
      const [x, bias, before, residual] = [floats(splits * made, 1), floats(n, 2), floats(made, 3), floats(made, 4)];
      const dims = {
        ...{ m, n, splits },
        ...(o.scaled && { out_scale: OUT_SCALE }),
        ...(o.residual && { residual_scale: RESIDUAL_SCALE }),
      };
      return prepared(conv2dFinish.prepare(device, o, { n }), dims, {
        inputs: { x, ...(o.bias && { bias }), ...(o.slope && { before }), ...(o.residual && { residual }) },
        outputs: { out: made, ...(o.pre && { pre: made }) },
        oracle: () => {
          const scale = o.scaled ? OUT_SCALE : 1;
          const pre = Float64Array.from({ length: made }, (_, i) => {
            let sum = o.bias ? (bias[i % n] as number) : 0;
            for (let part = 0; part < splits; part++) sum += x[part * made + i] as number;
            return sum;
          });
          const out = pre.map((value, i) => {
            const acted = o.act && o.act !== 'none' ? pointwise(o.act as Act, value) : value;
            const back = scale * acted * (o.slope ? siluSlope(scale, before[i] as number) : 1);
            return back + (o.residual ? RESIDUAL_SCALE * (residual[i] as number) : 0);
          });
          return { out, ...(o.pre && { pre }) };
        },
      });
    },
  };
}

const EVERY: ConvFinishOptions = { bias: true, act: 'silu', pre: true, scaled: true, residual: true };
const BACK: ConvFinishOptions = { scaled: true, slope: true, residual: true };
const ONE: ConvFinishOptions[] = [
  { bias: true },
  ...(['gelu', 'gelu-erf', 'silu', 'relu', 'sigmoid'] as const).map((act) => ({ act })),
  ...[{ pre: true }, { scaled: true }, { slope: true }, { residual: true }],
];

export const conv2dFinishCases: KernelCase[] = [
  conv2dFinishCase({ m: 1, n: 1, splits: 1 }, {}, { smoke: true }),
  ...ONE.map((o) => conv2dFinishCase({ m: 7, n: 13, splits: 3 }, o)),
  ...[
    { m: 11, n: 24, splits: 2 },
    { m: 131, n: 37, splits: 5 },
    { m: 127, n: 44, splits: 3 },
  ].flatMap((size) => [{}, EVERY, BACK].map((o) => conv2dFinishCase(size, o))),
  // Of EDM2-S's smallest images, 16 of them.
  conv2dFinishCase({ m: 1024, n: 768, splits: 5 }, { scaled: true, residual: true }, { benchOnly: true }),
];

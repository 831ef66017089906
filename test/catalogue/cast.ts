import { cast } from '../../src/kernels/cast.ts';
import { randn } from '../reference/index.ts';
import { type KernelCase, needsOf, prepared, type Stored, storedAs, suffixOf } from './case.ts';

function castCase(
  count: number,
  [dtype, outDtype]: readonly [Stored, Stored],
  factor?: number,
  vec?: boolean,
  extra: Partial<KernelCase> = {},
): KernelCase {
  const scaled = factor !== undefined;
  return {
    kernel: 'cast',
    name: `${count}${scaled ? ` times ${factor}` : ''}${vec ? ' by vec4' : ''}${suffixOf(dtype, outDtype)}`,
    variant: `${dtype} to ${outDtype}${scaled ? ' scaled' : ''}`,
    shape: [count],
    tolerance: scaled ? 1.2e-7 : 0,
    toleranceFrom: scaled ? 'one f32 rounding of a product' : 'only what is written is rounded',
    flops: scaled ? count : 0,
    bytes: count * ((dtype === 'f16' ? 2 : 4) + (outDtype === 'f16' ? 2 : 4)),
    forced: vec !== undefined,
    ...needsOf(dtype, outDtype),
    ...extra,
    prepare: (device) => {
      const x = storedAs(dtype, Float32Array.from(randn(count, 1)));
      const by = Math.fround(factor ?? 1);
      return prepared(
        cast.prepare(device, { dtype, outDtype, scaled, vec }),
        { count },
        {
          inputs: { x, ...(scaled && { factor: new Float32Array([by]) }) },
          outputs: { out: count },
          halves: [...(dtype === 'f16' ? ['x'] : []), ...(outDtype === 'f16' ? ['out'] : [])],
          oracle: () => ({ out: Float64Array.from(x, (v) => v * by) }),
        },
      );
    },
  };
}

export const castCases: KernelCase[] = [
  castCase(41, ['f32', 'f32'], 0.7, undefined, { smoke: true }),
  castCase(1, ['f32', 'f32']),
  castCase(65539, ['f32', 'f32'], 1024),
  castCase(260, ['f32', 'f32'], 3, true),
  castCase(257, ['f32', 'f16']),
  castCase(257, ['f16', 'f32']),
  castCase(65540, ['f32', 'f16'], undefined, true),
  castCase(1028, ['f16', 'f32'], undefined, true),
  castCase(1028, ['f32', 'f16'], 0.3, true),
  castCase(41, ['f16', 'f16'], 0.3),
  castCase(1 << 26, ['f32', 'f16'], undefined, undefined, { benchOnly: true }),
];

import { describe, expect, it } from 'vitest';
import {
  type ActivationOptions,
  activation,
  activationBackward,
  type UnaryOptions,
  unary,
  unaryBackward,
} from '../../src/kernels/activation.ts';
import { activationCases } from '../catalogue/activation.ts';
import { prepared } from '../catalogue/case.ts';
import { outputsOf } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { pointwise, pointwiseSlope } from '../reference/index.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('activation', activationCases);

type Act = ActivationOptions['act'] | UnaryOptions['fn'];

/** Both signs of sizes from 1e-8 to the largest, dense where the functions bend. */
const SIZES = [
  ...Array.from({ length: 400 }, (_, i) => 1e-8 * 10 ** (i / 50)),
  ...Array.from({ length: 2000 }, (_, i) => 0.01 * (i + 0.37)),
  ...[50, 80, 88, 90, 104, 1e3, 1e10, 1e19, 1e20, 1e30, 3.4e38],
];
const X = Float32Array.from(SIZES.flatMap((size) => [size, -size]));
const ONES = new Float32Array(X.length).fill(1);

async function both(act: Act, x: Float32Array): Promise<{ value: Float32Array; slope: Float32Array }> {
  const device = await testDevice();
  const dims = { count: x.length };
  const rest = { oracle: () => ({}) };
  const isFunction = act === 'tanh' || act === 'erf';
  const value = isFunction ? unary.prepare(device, { fn: act }) : activation.prepare(device, { act });
  const forward = prepared(value, dims, {
    inputs: { x },
    outputs: { y: x.length },
    ...rest,
  });
  const inputs = { x, dy: ONES.slice(0, x.length) };
  const slope = isFunction ? unaryBackward.prepare(device, { fn: act }) : activationBackward.prepare(device, { act });
  const backward = prepared(slope, dims, {
    inputs,
    outputs: { dx: x.length },
    ...rest,
  });
  const [y, dx] = [await outputsOf(device, forward, forward.inputs), await outputsOf(device, backward, inputs)];
  return { value: y.get('y') as Float32Array, slope: dx.get('dx') as Float32Array };
}

/** Error beside the rounding of the result: where 1 + tanh, or the two terms of a slope, cancel. */
const ABSOLUTE: { readonly [act in Act]: readonly [value: number, slope: number] } = {
  relu: [0, 0],
  sigmoid: [0, 0],
  tanh: [0, 0],
  erf: [0, 0],
  silu: [1e-36, 3e-7], // x times what may be flushed to 0
  'gelu-erf': [1e-36, 3e-7], // likewise
  gelu: [5e-7, 3e-6],
};
const LEAST = 1.2e-38; // smaller numbers may be flushed to 0
/** An exponential of -size is off by the rounding of its argument. */
const relative = (wanted: number) => 2e-6 * (1 + Math.max(0, -Math.log(Math.abs(wanted) + LEAST)) / 20);

describe('nonlinearities one number at a time', () => {
  for (const act of Object.keys(ABSOLUTE) as Act[]) {
    it(`${act} is right from 1e-8 to the largest number`, async () => {
      const { value, slope } = await both(act, X);
      X.forEach((x, i) => {
        for (const [at, got, wanted] of [
          [0, value[i] as number, pointwise(act, x)],
          [1, slope[i] as number, pointwiseSlope(act, x)],
        ] as const) {
          const off = Math.abs(got - wanted);
          const allowed = relative(wanted) * Math.abs(wanted) + ABSOLUTE[act][at] + LEAST;
          if (!(off <= allowed))
            expect.fail(
              `${at === 0 ? act : `slope of ${act}`} at ${x} is ${got}, not ${wanted}: ${off / allowed} times`,
            );
        }
      });
    });

    it(`${act} of a NaN is one, and its slope`, async () => {
      const { value, slope } = await both(act, Float32Array.of(1, NaN));
      expect(value[1]).toBeNaN();
      expect(slope[1]).toBeNaN();
    });
  }

  it('are 0 or 1 at the infinities where they have a limit', async () => {
    const ends = Float32Array.of(-Infinity, Infinity);
    expect([...(await both('sigmoid', ends)).value]).toEqual([0, 1]);
    for (const act of ['tanh', 'erf'] as const) expect([...(await both(act, ends)).value]).toEqual([-1, 1]);
  });

  it('a word that is none is refused with the list', async () => {
    const device = await testDevice();
    const asked = () => activation.prepare(device, { act: 'softsign' as 'relu' });
    expect(asked).toThrow('"gelu", "gelu-erf", "silu", "relu", "sigmoid"');
    expect(() => unary.prepare(device, { fn: 'sine' as 'erf' })).toThrow('"tanh", "erf"');
  });

  it('of a function cover as many elements a workgroup as an activation', async () => {
    const device = await testDevice();
    const [x, y] = [0, 1].map(() => device.createBuffer({ size: 4 * 10_000, usage: 0x80 })) as [GPUBuffer, GPUBuffer];
    const dims = { count: 10_000 };
    const act = (await activation.create(device, { act: 'relu' })).bind({ x, y }, dims);
    const fn = (await unary.create(device, { fn: 'tanh' })).bind({ x, y }, dims);
    expect(fn.grid).toEqual(act.grid);
  });
});

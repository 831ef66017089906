import { describe, expect, it } from 'vitest';
import {
  anyStepCoefficients,
  endTimes,
  logitNormalTimes,
  ROW,
  stepRatio,
} from '../../src/ucgm/anystep_coefficients.ts';
import { ROW as CONSISTENCY, consistencyCoefficients } from '../../src/ucgm/consistency.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions, validateObjective } from '../../src/ucgm/options.ts';

const ANYSTEP: ObjectiveOptions = {
  ...OBJECTIVE_DEFAULTS,
  method: 'ANYSTEP',
  step_ratio: [0.1, 0.1],
  wt_cosine_loss: false,
  weight_function: null,
};
const with_ = (change: Partial<ObjectiveOptions>): ObjectiveOptions => ({ ...ANYSTEP, ...change });

/** The target of one number, as the kernels make it from a row of coefficients. */
function target(
  options: ObjectiveOptions,
  a: number,
  t: number,
  s: number,
  o: { f: number; v: number; beyond: number },
) {
  const { rows } = anyStepCoefficients(options, a, [t], [s]);
  const c = (i: number) => rows[ROW.target + i] as number;
  const sum = c(0) * o.f + c(1) * o.v + c(2) * o.beyond;
  return options.residual === 'clamped' ? o.f + c(3) * Math.min(1, Math.max(-1, sum)) : sum;
}

describe('the any-step target', () => {
  const [x, z] = [0.7, -1.3];

  it('where s = t is that of flow matching, whatever a is and F- answers', () => {
    for (const residual of ['plain', 'divided'] as const)
      for (const a of [1, 0.3, 3e-4]) {
        expect(target(with_({ residual }), a, 0.6, 0.6, { f: 0.4, v: z - x, beyond: 99 })).toBe(z - x);
        const { span, between, rest } = anyStepCoefficients(with_({ residual }), a, [0.6], [0.6]);
        expect([span[0], between[0], rest[0]]).toEqual([0, Math.fround(0.6), 0]);
      }
  });

  it('at s = 0 and a = 1 - lambda is that of UCGM', () => {
    for (const lambda of [0.02, 0.5, 0.9, 0.99])
      for (const t of [0.01, 0.3, 0.77, 1])
        for (const [f, beyond] of [
          [0.4, 0.1],
          [-2.1, -1.8],
          [-1.99, -2],
        ] as const) {
          const ucgm = consistencyCoefficients({ ...OBJECTIVE_DEFAULTS, consistc_ratio: lambda }, [t]);
          const n = (i: number) => ucgm.rows[i] as number;
          const [one, two, d] = [CONSISTENCY.first, CONSISTENCY.second, CONSISTENCY.difference];
          const [x1, x2] = [n(one) * x + n(one + 1) * z, n(two) * x + n(two + 1) * z];
          const quotient = n(d) * f + n(d + 1) * beyond + n(d + 2) * x1 + n(d + 3) * x2;
          const theirs = f + n(d + 4) * Math.min(1, Math.max(-1, quotient));
          const options = with_({ residual: 'clamped', end_time: 'zero' });
          const own = anyStepCoefficients(options, 1 - lambda, [t], [0]);
          expect(own.between[0]).toBeCloseTo(ucgm.second[0] as number, 6);
          expect(target(options, 1 - lambda, t, 0, { f, v: z - x, beyond })).toBeCloseTo(theirs, 3);
        }
  });

  it('is the mean velocity itself where F and F- are exact, and x_l lies on the path', () => {
    const v = z - x;
    for (const residual of ['plain', 'divided', 'clamped'] as const)
      for (const [a, t, s] of [
        [1, 0.9, 0.1],
        [0.1, 0.5, 0.495],
        [3e-4, 1, 0],
      ] as const) {
        const options = with_({ residual });
        expect(target(options, a, t, s, { f: v, v, beyond: v })).toBeCloseTo(v, 3);
        const { rows, between } = anyStepCoefficients(options, a, [t], [s]);
        const c = (i: number) => rows[i] as number;
        const xt = c(ROW.path) * x + c(ROW.path + 1) * z;
        const l = between[0] as number;
        expect(c(ROW.between) * xt + c(ROW.between + 1) * v).toBeCloseTo((1 - l) * x + l * z, 5);
      }
  });

  it('guides inside the range alone, and weights as asked', () => {
    const options = with_({ enhanced_ratio: 0.5, enhanced_range: [0.2, 0.6], weight_function: 'Ratio' });
    const { rows, weight } = anyStepCoefficients(options, 0.25, [0.1, 0.4, 0.7], [0, 0.1, 0.7]);
    const zetas = [0, 1, 2].map((b) => rows[b * ROW.stride + ROW.velocity + 2]);
    expect(zetas).toEqual([0, 0.5, 0]);
    expect([...weight]).toEqual([0.25, 0.25, 1]);
    const last = (hi: number) =>
      anyStepCoefficients({ ...options, enhanced_range: [0, hi] }, 0.25, [hi], [0]).rows[ROW.velocity + 2];
    expect([last(0.75), last(1)]).toEqual([0, 0.5]); // a range up to 1 has the noise end itself, where time_ends draws
    const cosine = anyStepCoefficients({ ...options, weight_function: 'Cosine' }, 0.25, [1], [0]).weight[0];
    expect(cosine).toBeCloseTo(Math.cos(1.57), 7);
  });
});

describe('what a step of any-step training draws', () => {
  it('a goes from the first to the last, exponentially or by a sigmoid, and stays', () => {
    const at = (options: Partial<ObjectiveOptions>) => (step: number) =>
      stepRatio(with_({ step_ratio: [1, 0.01], step_ratio_steps: 100, ...options }), step);
    const exponential = [0, 50, 100, 5000].map(at({}));
    [1, 0.1, 0.01, 0.01].forEach((a, i) => void expect(exponential[i]).toBeCloseTo(a, 12));
    const sigmoid = [0, 50, 100, 5000].map(at({ step_ratio_schedule: 'sigmoid' }));
    [1, 0.505, 0.01, 0.01].forEach((a, i) => void expect(sigmoid[i]).toBeCloseTo(a, 4));
    expect(stepRatio(ANYSTEP, 7)).toBe(0.1);
  });

  it('t and s are two logit-normal numbers in order, of the sample and not of its part', () => {
    const options = with_({ time_logit_normal: [-0.4, 1.2] });
    const size = 4000;
    const t = logitNormalTimes(options, 3, 5, 0, size);
    const s = endTimes(options, 3, 5, 0, t);
    const logits = [...t, ...s].map((v) => Math.log(v / (1 - v)));
    const mean = logits.reduce((sum, v) => sum + v, 0) / logits.length;
    const deviation = Math.sqrt(logits.reduce((sum, v) => sum + (v - mean) ** 2, 0) / logits.length);
    expect(mean).toBeCloseTo(-0.4, 1);
    expect(deviation).toBeCloseTo(1.2, 1);
    expect(s.every((v, b) => v > 0 && v < (t[b] as number))).toBe(true);
    const part = logitNormalTimes(options, 3, 5, 1000, 10);
    expect(part).toEqual(t.slice(1000, 1010));
    expect(endTimes(options, 3, 5, 1000, part)).toEqual(s.slice(1000, 1010));
    expect(logitNormalTimes(options, 3, 6, 0, 10)).not.toEqual(t.slice(0, 10));
    expect(endTimes(options, 3, 5, 0, [0])).toEqual(Float64Array.of(0)); // a time that was given
  });

  it('three of four samples have s = t, the last ones too; the others are uniform below t, or 0', () => {
    const t = new Float64Array(400).fill(0.8);
    const s = endTimes(with_({ same_time_ratio: 0.75 }), 0, 0, 0, t);
    expect(s.filter((v) => v === 0.8)).toHaveLength(300);
    expect(s.slice(360).filter((v) => v === 0.8)).toHaveLength(30);
    const drawn = s.filter((v) => v !== 0.8);
    expect(drawn.every((v) => v > 0 && v < 0.8)).toBe(true);
    expect(drawn.reduce((sum, v) => sum + v, 0) / 100).toBeCloseTo(0.4, 1);
    expect(endTimes(with_({ end_time: 'zero' }), 0, 0, 0, [0.3, 0.9])).toEqual(Float64Array.of(0, 0));
  });
});

describe('any-step options', () => {
  it.each([
    [{ step_ratio: undefined }, 'ANYSTEP has no step_ratio. Fix: give two numbers up to 1'],
    [{ step_ratio: [0.1, 0] }, 'step_ratio is [0.1,0]'],
    [{ step_ratio: [1, 0.1] }, 'from 1 to 0.1 in no number of steps. Fix: give step_ratio_steps'],
    [{ step_ratio_steps: 0.5 }, 'step_ratio_steps is 0.5'],
    [{ step_ratio_schedule: 'linear' }, 'give step_ratio_schedule one of: "exponential", "sigmoid"'],
    [{ same_time_ratio: 1.5 }, 'same_time_ratio is 1.5'],
    [{ loss_power: 2 }, 'loss_power is 2'],
    [{ loss_power: 1, loss_eps: 0 }, 'loss_eps is 0'],
    [{ loss_eps: 0.1 }, 'loss_eps has no use'],
    [{ loss_power: 1, scaled_cbl_eps: 5 }, 'name two losses'],
    [{ time_logit_normal: [0, 0] }, 'time_logit_normal is [0,0]'],
    [{ time_logit_normal: [0, 1], end_time: 'zero' }, 'time_logit_normal draws both times'],
    [{ end_time: 'start' }, 'give end_time one of: "drawn", "zero"'],
    [{ method: 'UCGM' }, 'UCGM has no step_ratio. Fix: leave step_ratio out, or set method to ANYSTEP'],
    [{ method: 'RCGM', step_ratio: undefined, loss_power: 1 }, 'RCGM has no loss_power'],
    [{ method: undefined, step_ratio: undefined, weight_function: 'Ratio' }, 'weight_function is Ratio for UCGM'],
  ])('refuse %o', (change, message) => {
    const options = Object.fromEntries(Object.entries({ ...ANYSTEP, ...change }).filter(([, v]) => v !== undefined));
    expect(() => validateObjective(options as unknown as ObjectiveOptions)).toThrow(message);
  });
});

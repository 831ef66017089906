import { describe, expect, it } from 'vitest';
import { consistencyCoefficients, lambdaAt, ROW } from '../../src/ucgm/consistency.ts';
import { droppedLabels, OBJECTIVE_DEFAULTS, type ObjectiveOptions, validateObjective } from '../../src/ucgm/options.ts';
import { multiStepCoefficients } from '../../src/ucgm/targets.ts';
import { TRANSPORTS } from '../../src/ucgm/transport.ts';

const FEW: ObjectiveOptions = { ...OBJECTIVE_DEFAULTS, consistc_ratio: 1, lab_drop_ratio: 0 };
const rowOf = (options: Partial<ObjectiveOptions>, t: number) => {
  const { rows, first, second } = consistencyCoefficients({ ...FEW, ...options }, [t]);
  return { row: [...rows], first: first[0] as number, second: second[0] as number };
};

describe('consistency coefficients', () => {
  it('give D = 0 and so target = F where the network is exact, for every transport', () => {
    // An exact network on one sample: F = a' z + g' x at every time, so that f(r) = x and the difference vanishes.
    const [x, z] = [0.7, -1.3];
    for (const [name, { da, dg }] of Object.entries(TRANSPORTS)) {
      if (name === 'ReLinear') continue;
      for (const lambda of [
        { consistc_ratio: 1, compat: 'reference' as const },
        { consistc_ratio: 1 },
        { consistc_ratio: 0.3 },
      ]) {
        const { row, first, second } = rowOf({ transport_type: name, ...lambda }, 0.4);
        const [f1, f2] = [first, second].map((r) => da(r) * z + dg(r) * x) as [number, number];
        const at = (i: number) => row[i] as number;
        const [one, two, d] = [ROW.first, ROW.second, ROW.difference];
        const [x1, x2] = [at(one) * x + at(one + 1) * z, at(two) * x + at(two + 1) * z];
        expect(
          at(d) * f1 + at(d + 1) * f2 + at(d + 2) * x1 + at(d + 3) * x2,
          `${name} ${JSON.stringify(lambda)}`,
        ).toBeCloseTo(0, 3);
      }
    }
  });

  it('turn ReLinear round: Linear at 1 - t, of a network with the other sign', () => {
    const linear = rowOf({ enhanced_ratio: 2, enhanced_range: [0, 1] }, 0.3);
    const turned = rowOf({ enhanced_ratio: 2, enhanced_range: [0, 1], transport_type: 'ReLinear' }, 0.7);
    const { x, z, difference: d } = ROW;
    const ofVelocity = [x + 2, x + 3, z + 2, z + 3, d, d + 1, d + 4];
    turned.row.forEach((value, i) => {
      expect(value, `number ${i}`).toBeCloseTo((ofVelocity.includes(i) ? -1 : 1) * (linear.row[i] as number), 4);
    });
    expect(turned.first).toBeCloseTo(1 - linear.first, 6);
    expect(turned.second).toBeCloseTo(1 - linear.second, 6);
    const weight = (options: Partial<ObjectiveOptions>, t: number) =>
      multiStepCoefficients({ ...FEW, ...options }, [t]).weight[0];
    expect(weight({ transport_type: 'ReLinear' }, 0.75)).toBe(weight({}, 0.25));
    expect(weight({ transport_type: 'ReLinear', compat: 'reference' }, 0.75)).toBe(weight({}, 0.75));
    expect(weight({ transport_type: 'ReLinear', consistc_ratio: 0 }, 0.75)).toBe(weight({}, 0.75));
  });

  it('move x and z by the teacher inside the range, half way outside, and not for dropped labels', () => {
    const enhanced = { enhanced_ratio: 2, enhanced_range: [0.2, 0.6] as const };
    // Linear: x_hat = x_t - t F, so x* = x + 2 (x_hat - x)
    expect(
      rowOf(enhanced, 0.5)
        .row.slice(0, 3)
        .map((v) => v.toFixed(4)),
    ).toEqual(['0.0000', '1.0000', '-1.0000']);
    expect(
      rowOf(enhanced, 0.8)
        .row.slice(0, 3)
        .map((v) => v.toFixed(4)),
    ).toEqual(['0.6000', '0.4000', '-0.4000']);
    expect(
      rowOf({ ...enhanced, lab_drop_ratio: 1 }, 0.5)
        .row.slice(0, 8)
        .map(Math.abs),
    ).toEqual([1, 0, 0, 0, 0, 1, 0, 0]);
  });

  it('look back by a hundredth of t at lambda 1, and both ways as the reference does', () => {
    const ours = rowOf({}, 0.4);
    expect(ours).toEqual(rowOf({ consistc_ratio: 0.99 }, 0.4));
    expect([ours.first, ours.second]).toEqual([0.4, 0.396].map(Math.fround));
    const reference = rowOf({ compat: 'reference' }, 0.4);
    expect([reference.first, reference.second]).toEqual([0.405, 0.395].map(Math.fround));
  });

  it('damp a ripple over time at lambda 1, which the central difference lets grow', () => {
    // F for one x and z as a table over time, which starts exact but for a ripple and is stepped towards its targets.
    const [x, z, nodes] = [0.7, -1.3, 200];
    const ripple = (compat?: 'reference') => {
      const times = Float64Array.from({ length: nodes + 1 }, (_, i) => i / nodes);
      const { rows, first, second } = consistencyCoefficients({ ...FEW, ...(compat && { compat }) }, times);
      const exact = z - x; // Linear
      const table = times.map((_, i) => exact + 0.01 * Math.sin((Math.PI / 2) * i));
      const at = (t: number) => {
        const place = Math.min(Math.max(t, 0), 1) * nodes;
        const below = Math.min(Math.floor(place), nodes - 1);
        const [lower, upper] = [table[below] as number, table[below + 1] as number];
        return lower + (place - below) * (upper - lower);
      };
      for (let step = 0; step < 2000; step++) {
        const moved = table.map((own, i) => {
          const row = rows.subarray(i * ROW.stride, (i + 1) * ROW.stride);
          const n = (j: number) => row[j] as number;
          const [one, two, d] = [ROW.first, ROW.second, ROW.difference];
          const [x1, x2] = [n(one) * x + n(one + 1) * z, n(two) * x + n(two + 1) * z];
          const [f1, f2] = [at(first[i] as number), at(second[i] as number)];
          const quotient = n(d) * f1 + n(d + 1) * f2 + n(d + 2) * x1 + n(d + 3) * x2;
          return own + 2e-3 * n(d + 4) * Math.min(Math.max(quotient, -1), 1);
        });
        table.set(moved);
      }
      return Math.max(...table.slice(nodes / 4, (3 * nodes) / 4).map((v) => Math.abs(v - exact)));
    };
    expect(ripple()).toBeLessThan(1e-3);
    expect(ripple('reference')).toBeGreaterThan(0.05);
  });

  it('take lambda from the step: from consistc_start to consistc_ratio, 1 - lambda exponentially', () => {
    const annealed: ObjectiveOptions = { ...FEW, consistc_ratio: 0.99, consistc_start: 0, consistc_steps: 100 };
    const lambdas = [0, 50, 100, 5000].map((step) => lambdaAt(annealed, step));
    [0, 0.9, 0.99, 0.99].forEach((lambda, i) => void expect(lambdas[i]).toBeCloseTo(lambda, 12));
    expect([99, 100].map((step) => lambdaAt({ ...annealed, consistc_ratio: 1 }, step))[1]).toBe(1);
    expect(lambdaAt(FEW, 7)).toBe(1);
    const { first: now, second: before, rows } = consistencyCoefficients(annealed, [0.4], undefined, lambdas[1]);
    const plain = consistencyCoefficients({ ...FEW, consistc_ratio: lambdas[1] as number }, [0.4]);
    expect({ first: now, second: before, rows }).toEqual(plain);
    const zero = consistencyCoefficients(annealed, [0.4], undefined, 0);
    expect([...zero.second]).toEqual([0]);
    expect([...zero.rows].every(Number.isFinite)).toBe(true);
  });

  it('stay finite at both ends of time', () => {
    for (const transport_type of Object.keys(TRANSPORTS)) {
      for (const consistc_ratio of [1, 0.5]) {
        for (const t of [0, 1]) {
          const { row } = rowOf({ transport_type, consistc_ratio }, t);
          expect(row.every(Number.isFinite), `${transport_type} ${consistc_ratio} at ${t}: ${row}`).toBe(true);
        }
      }
    }
  });
});

describe('options of the objective', () => {
  it('drop labels as Python rounds, and none at ratio 0', () => {
    expect([0.1, 0.5, 0, 0.25, 1].map((ratio) => droppedLabels(ratio, 10))).toEqual([1, 5, 0, 2, 10]);
    expect([droppedLabels(0.5, 5), droppedLabels(0.5, 7)]).toEqual([2, 4]); // halves go to even
  });

  it.each([
    [{ consistc_ratio: 1.5 }, 'consistc_ratio is 1.5'],
    [{ transport_type: 'Bent' }, 'transport_type Bent'],
    [{ enhanced_ratio: Number.NaN }, 'enhanced_ratio is NaN'],
    [{ compat: 'torch' }, 'compat is "torch"'],
    [{ weight_function: 'Sine' }, 'weight_function is "Sine"'],
    [{ time_dist_ctrl: [1, 0, 1] }, 'time_dist_ctrl'],
    [{ consistc_ratio: 1, consistc_start: 0.5 }, 'consistc_start and consistc_steps go together'],
    [{ consistc_ratio: 1, consistc_start: 2, consistc_steps: 9 }, 'consistc_start is 2'],
    [{ consistc_ratio: 1, consistc_start: 0, consistc_steps: 0.5 }, 'consistc_steps is 0.5'],
    [{ consistc_start: 0.5, consistc_steps: 9 }, 'give a consistc_ratio above 0'],
    [{ method: 'RCGM', consistc_start: 0.5, consistc_steps: 9 }, 'RCGM has no consistc_start'],
    [
      { consistc_ratio: 1, consistc_start: 0, consistc_steps: 9, compat: 'reference' },
      'reference has no consistc_start',
    ],
  ])('refuse %o', (change, message) => {
    expect(() => validateObjective({ ...OBJECTIVE_DEFAULTS, ...change } as ObjectiveOptions)).toThrow(message);
  });
});

import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { STREAM, uniform01 } from '../../src/rng/philox.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { endTimes, logitNormalTimes } from '../../src/ucgm/anystep_coefficients.ts';
import { OBJECTIVE_DEFAULTS, type ObjectiveOptions, validateObjective } from '../../src/ucgm/options.ts';
import { timeFrom } from '../../src/ucgm/time_ends.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

const ANYSTEP: ObjectiveOptions = {
  ...OBJECTIVE_DEFAULTS,
  method: 'ANYSTEP',
  step_ratio: [0.1, 0.1],
  time_logit_normal: [0, 1],
  wt_cosine_loss: false,
  weight_function: null,
};
const SHARES = [0.1, 0.2, 0.3] as const;
const [SEED, STEP, SIZE] = [3, 5, 8000];

/** Both times of a step's samples from `first` on. */
function draw(change: Partial<ObjectiveOptions>, first = 0, size = SIZE) {
  const options = { ...ANYSTEP, ...change };
  const logit = logitNormalTimes(options, SEED, STEP, first, size);
  const t = logit.map((time, b) => timeFrom(options, SEED, STEP, first + b, time));
  return { t, s: endTimes(options, SEED, STEP, first, t) };
}

describe('times at their ends', () => {
  const plain = draw({});

  it('each sample has what its two numbers say, and the very bits of before where they say nothing', () => {
    const { t, s } = draw({ time_ends: SHARES });
    for (let b = 0; b < SIZE; b++) {
      const [which, at] = [0, 1].map((i) => uniform01(SEED, STREAM.timeEnd, STEP, 2 * b + i)) as [number, number];
      const kept = [plain.t[b], plain.s[b]];
      const expected = which < 0.1 ? [1, 0] : which < 0.3 ? [1, 1 - at] : which < 0.6 ? [1 - at, 0] : kept;
      expect([t[b], s[b]].map((v) => (v as number).toFixed(12))).toEqual(
        expected.map((v) => (v as number).toFixed(12)),
      );
      if (which >= 0.6) expect([t[b], s[b]]).toEqual(kept);
    }
    expect(draw({ time_ends: [0, 0, 0] })).toEqual(plain);
  });

  it('come as often as was asked, evenly over the time that is left', () => {
    const { t, s } = draw({ time_ends: SHARES });
    const all = [...t].map((time, b) => [time, s[b] as number] as const);
    const shares = [
      all.filter(([time, end]) => time === 1 && end === 0),
      all.filter(([time, end]) => time === 1 && end > 0),
      all.filter(([time, end]) => time < 1 && end === 0),
    ];
    SHARES.forEach((share, i) => {
      expect((shares[i] as unknown[]).length / SIZE).toBeCloseTo(share, 1);
    });
    for (const inner of [shares[1]?.map(([, end]) => end), shares[2]?.map(([time]) => time)] as number[][]) {
      const sorted = inner.sort((one, other) => one - other);
      const apart = sorted.map((v, i) => Math.abs(v - (i + 0.5) / sorted.length)); // from the uniform distribution
      expect(Math.max(...apart)).toBeLessThan(1.6 / Math.sqrt(sorted.length)); // Kolmogorov-Smirnov, p .01
    }
  });

  it('are of the sample, not of its part of the batch', () => {
    const whole = draw({ time_ends: SHARES });
    expect(draw({ time_ends: SHARES }, 1000, 10)).toEqual({
      t: whole.t.slice(1000, 1010),
      s: whole.s.slice(1000, 1010),
    });
  });

  it('with same_time_ratio its samples have s = t, t = 1 as often as the others', () => {
    const { t, s } = draw({ time_ends: SHARES, same_time_ratio: 0.5 });
    const same = [...t].filter((time, b) => s[b] === time);
    expect(same).toHaveLength(SIZE / 2);
    expect(same.filter((time) => time === 1).length / same.length).toBeCloseTo(0.3, 1);
    const corner = [...t].filter((time, b) => time === 1 && s[b] === 0);
    expect(corner.length / SIZE).toBeCloseTo(0.05, 2);
  });

  it('are those of a training, by whatever its other times are drawn', async () => {
    const network = createNetwork('TiT', {
      ...{ input_size: 8, in_channels: 1, num_classes: 3, patch_size: 4, hidden_size: 16, depth: 1, num_heads: 2 },
      two_times: true,
    });
    const times = async (change: Partial<ObjectiveOptions>) => {
      const workspace = new Workspace(await testDevice());
      const { time_logit_normal: _, ...objective } = { ...ANYSTEP, ...change };
      const trainer = new Trainer(workspace, network, 32, {
        objective: change.time_logit_normal ? { ...ANYSTEP, ...change } : objective,
        optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0 },
        emaDecay: 0.9,
        maxGradNorm: null,
        seed: SEED,
      });
      await trainer.train({ x: Float32Array.from(randn(32 * 64, 1)), labels: new Uint32Array(32) });
      const found = await trainer.sampleLosses();
      await trainer.free();
      await workspace.dispose();
      return found as { times: Float32Array; losses: Float32Array };
    };
    for (const others of [{ time_logit_normal: [0, 1] }, {}] as Partial<ObjectiveOptions>[]) {
      const before = await times(others);
      const after = await times({ ...others, time_ends: [0.5, 0, 0] });
      const moved = [...after.times].map((_, b) => uniform01(SEED, STREAM.timeEnd, 0, 2 * b) < 0.5);
      expect(moved.filter(Boolean).length).toBeGreaterThan(4);
      expect([...after.times]).toEqual([...before.times].map((time, b) => (moved[b] ? 1 : time)));
      moved.forEach((is, b) => {
        if (!is) expect(after.losses[b]).toBe(before.losses[b]);
      });
    }
  });

  it.each([
    [{ time_ends: [0.5, 0.5, 0.1] }, 'time_ends are [0.5,0.5,0.1]. Fix: give three shares of the batch'],
    [{ time_ends: [-0.1, 0, 0] }, 'time_ends are [-0.1,0,0]'],
    [{ time_ends: [0.1, 0.1] }, 'give time_ends an array of 3 finite numbers'],
    [
      { time_ends: [0, 0.1, 0], time_logit_normal: undefined, end_time: 'zero' },
      'the second draws s, end_time is zero',
    ],
    [
      { method: 'RCGM', step_ratio: undefined, time_logit_normal: undefined, time_ends: [0, 0, 0] },
      'RCGM has no time_ends',
    ],
  ])('refuses %o', (change, message) => {
    const options = Object.fromEntries(Object.entries({ ...ANYSTEP, ...change }).filter(([, v]) => v !== undefined));
    expect(() => validateObjective(options as unknown as ObjectiveOptions)).toThrow(message);
  });
});

import { either, group, number, numbers, oneOf, optional } from '../kernel/index.ts';
import { noiseEnd, OptionError, refuseWrong, type Transport } from './transport.ts';

/** Options of UCGM-S; names are the reference's keys. */
export interface SamplingOptions {
  sampling_steps: number;
  /** 1 Euler, 2 Heun-like. */
  sampling_order: 1 | 2;
  /** kappa: extrapolation from the predictions of the step before. */
  extrapol_ratio: number;
  /** Kumaraswamy warp (A, B, C) of the time grid. */
  time_dist_ctrl: readonly [number, number, number];
  /** Gaps left at the noise end and the data end. */
  rfba_gap_steps: readonly [number, number];
  /** rho: share of fresh noise in each step. */
  stochast_ratio: number | 'Auto';
  /** Guidance scale; 1 is none. From 1 on an input of a network that takes it, of one pass. */
  cfg_scale: number;
  /** Times on which guidance acts, ends included. */
  cfg_interval: readonly [number, number];
  /** Networks of two times: the time up to which each step asks for the mean velocity: the data end, the next time, or its own. */
  target_time?: 'end' | 'next' | 'same';
  /** 'reference': the reference's oddities that change numbers, see docs/ucgm-parity.md. */
  compat?: 'reference';
}

export const SAMPLING_DEFAULTS: SamplingOptions = {
  sampling_steps: 20,
  sampling_order: 1,
  extrapol_ratio: 0,
  time_dist_ctrl: [1, 1, 1],
  rfba_gap_steps: [0.001, 0.001],
  stochast_ratio: 0,
  cfg_scale: 1,
  cfg_interval: [0, 1],
};

const OPTIONS = group<SamplingOptions>({
  sampling_steps: number,
  sampling_order: oneOf(1, 2),
  extrapol_ratio: number,
  time_dist_ctrl: numbers(3),
  rfba_gap_steps: numbers(2),
  stochast_ratio: either(number, oneOf('Auto')),
  cfg_scale: number,
  cfg_interval: numbers(2),
  target_time: optional(oneOf('end', 'next', 'same')),
  compat: optional(oneOf('reference')),
});

/** @throws OptionError for a key that does not exist, or a value out of range. */
export function validateSampling(o: SamplingOptions): void {
  refuseWrong('sampling', OPTIONS, o);
  if (!Number.isInteger(o.sampling_steps) || o.sampling_steps < 1) {
    throw new OptionError(`sampling_steps is ${o.sampling_steps}`, 'give a whole number of at least 1');
  }
  if (!o.time_dist_ctrl.every((v) => v > 0))
    throw new OptionError(`time_dist_ctrl is [${o.time_dist_ctrl}]`, 'give three positive numbers');
  if (!o.rfba_gap_steps.every((v) => v >= 0 && v < 1))
    throw new OptionError(`rfba_gap_steps is [${o.rfba_gap_steps}]`, 'give two numbers in [0, 1)');
  if (o.target_time !== undefined && o.target_time !== 'same' && o.sampling_order === 2)
    throw new OptionError('sampling_order 2 with mean velocities', 'use order 1, or target_time same');
  if (o.rfba_gap_steps[0] + o.rfba_gap_steps[1] >= 1)
    throw new OptionError(`rfba_gap_steps are [${o.rfba_gap_steps}]`, 'give two gaps of less than 1 together');
  if (o.stochast_ratio !== 'Auto' && !(o.stochast_ratio >= 0 && o.stochast_ratio <= 1)) {
    throw new OptionError(`stochast_ratio is ${o.stochast_ratio}`, 'give a number from 0 to 1, or Auto');
  }
}

/**
 * Times at which the network is asked, from the noise end, with a final 0 appended; in doubles. Kumaraswamy-warped uniform
 * grid between the gaps (arXiv 2505.07447, sampling algorithm; the counting of steps is the reference's).
 */
export function timeGrid(o: SamplingOptions, transport: Transport): number[] {
  const [gapNoise, gapData] = o.rfba_gap_steps;
  const [A, B, C] = o.time_dist_ctrl;
  let n = o.sampling_order === 2 ? Math.floor((o.sampling_steps + 1) / 2) : o.sampling_steps;
  if (gapData === 0) n += 1;
  // The reference's grid is single precision from here on: after the first pass a second-order step divides by g of some 0.001.
  const round = o.compat === 'reference' ? Math.fround : (u: number) => u;
  const power = (u: number, exponent: number) => round(u ** exponent);
  const tau: number[] = [];
  for (let i = 0; i < n; i++) tau.push(round(n === 1 ? gapNoise : gapNoise + ((1 - gapData - gapNoise) * i) / (n - 1)));
  if (gapData === 0) tau.pop();
  const warped = tau.map((u) => power(round(1 - power(round(1 - power(u, A)), B)), C));
  const grid = noiseEnd(transport) === 1 ? warped.map((u) => round(1 - u)) : warped;
  return [...grid, noiseEnd(transport) === 1 ? 0 : 1];
}

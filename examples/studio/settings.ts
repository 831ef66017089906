import type { RunConfig } from '../../src/run/settings.ts';
import type { SamplingOptions } from '../../src/ucgm/schedule.ts';

/** All that can be set in the page, flat, as a link carries it. */
export interface Settings {
  /** UCGM-S. */
  steps: number;
  order: number;
  kappa: number;
  rho: number;
  gapNoise: number;
  gapData: number;
  warpA: number;
  warpB: number;
  warpC: number;
  guidance: number;
  /** Seed of the noise, and the image whose way is shown. */
  seed: number;
  image: number;
  /** A training to come; a number of 0, or no model, is the preset's own. */
  data: string;
  preset: string;
  model: string;
  trainSteps: number;
  batch: number;
  rate: number;
  trainSeed: number;
  keepEvery: number;
}

type SamplingSettings = Pick<
  Settings,
  'steps' | 'order' | 'kappa' | 'rho' | 'gapNoise' | 'gapData' | 'warpA' | 'warpB' | 'warpC' | 'guidance'
>;

/** A model's own way to be sampled, as settings. */
export function samplingSettings({ sample: o }: RunConfig): SamplingSettings {
  const [warpA, warpB, warpC] = o.time_dist_ctrl;
  const [gapNoise, gapData] = o.rfba_gap_steps;
  return {
    steps: o.sampling_steps,
    order: o.sampling_order,
    kappa: o.extrapol_ratio,
    rho: o.stochast_ratio === 'Auto' ? 0 : o.stochast_ratio,
    gapNoise,
    gapData,
    warpA,
    warpB,
    warpC,
    guidance: o.cfg_scale,
  };
}

/** A model's configuration, sampled as the settings say. */
export function withSettings(config: RunConfig, settings: SamplingSettings): RunConfig {
  const { steps, order, kappa, rho, gapNoise, gapData, warpA, warpB, warpC, guidance } = settings;
  const sample: SamplingOptions = {
    ...config.sample,
    sampling_steps: steps,
    sampling_order: order === 2 ? 2 : 1,
    extrapol_ratio: kappa,
    stochast_ratio: rho,
    time_dist_ctrl: [warpA, warpB, warpC],
    rfba_gap_steps: [gapNoise, gapData],
    cfg_scale: guidance,
  };
  // A second-order step compares velocities at two times: they cannot be means over a span.
  if (order === 2 && sample.target_time !== undefined) sample.target_time = 'same';
  return { ...config, sample: sample as RunConfig['sample'] };
}

export const DEFAULTS: Settings = {
  steps: 2,
  order: 1,
  kappa: 0,
  rho: 1,
  gapNoise: 0.001,
  gapData: 0.3,
  warpA: 1,
  warpB: 1,
  warpC: 1,
  guidance: 1,
  seed: 0,
  image: 0,
  data: 'digits',
  preset: 'tiny',
  model: '',
  trainSteps: 0,
  batch: 0,
  rate: 0,
  trainSeed: 0,
  keepEvery: 100,
};

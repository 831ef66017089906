import type { Command } from 'commander';
import { mergeConfig, type PartialConfig, type RunConfig } from '../run/settings.ts';
import type { PassPrecision } from '../tensor/index.ts';
import { validateSampling } from '../ucgm/schedule.ts';
import { numberList, precisionName, realNumber, wholeNumber } from './numbers.ts';

/** How to sample, where the command line says otherwise than the run. */
export interface SamplingFlags {
  order?: number;
  kappa?: number;
  rho?: number | 'Auto';
  cfg?: number;
  cfgInterval?: number[];
  warp?: number[];
  gaps?: number[];
  precision?: PassPrecision;
}

/** Adds the options of UCGM-S to a command. */
export function addSamplingOptions(command: Command): Command {
  return command
    .option('--order <n>', '1 Euler, 2 Heun', wholeNumber)
    .option('--kappa <x>', 'extrapolation ratio', realNumber)
    .option('--rho <x>', 'share of fresh noise a step: 0 to 1, or Auto', share)
    .option('--warp <a,b,c>', 'Kumaraswamy warp of the times', (text) => numberList(text, 3))
    .option('--gaps <a,b>', 'gaps left at the noise end and the data end', (text) => numberList(text, 2))
    .option('--cfg <x>', 'guidance scale', realNumber)
    .option('--cfg-interval <a,b>', 'times on which guidance acts', (text) => numberList(text, 2))
    .option('--precision <name>', 'f32, f32x3 or mixed (default: f32)', precisionName);
}

/** The run's configuration with the command line's sampling options and number of steps. @throws ConfigError, OptionError. */
export function withSampling(config: RunConfig, flags: SamplingFlags, steps?: number): RunConfig {
  const sample = {
    sampling_steps: steps,
    sampling_order: flags.order,
    extrapol_ratio: flags.kappa,
    stochast_ratio: flags.rho,
    time_dist_ctrl: flags.warp,
    rfba_gap_steps: flags.gaps,
    cfg_scale: flags.cfg,
    cfg_interval: flags.cfgInterval,
  };
  const merged = mergeConfig('the command line', config, { sample } as PartialConfig);
  // A second-order step compares velocities at two times: they cannot be means over a span.
  if (flags.order === 2 && merged.sample.target_time !== undefined) merged.sample.target_time = 'same';
  validateSampling(merged.sample);
  return merged;
}

function share(text: string): number | 'Auto' {
  return text === 'Auto' ? text : realNumber(text);
}

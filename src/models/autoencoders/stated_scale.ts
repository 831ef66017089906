import { ModelError } from '../config.ts';
import type { FixedScale } from './autoencoder.ts';

/** Numbers of a list, also of one in lists, [1, C, 1, 1]; none of anything else. */
function numbersOf(value: unknown): number[] {
  const flat: unknown[] = Array.isArray(value) ? value.flat(3) : [];
  return flat.every((each): each is number => typeof each === 'number' && Number.isFinite(each)) ? flat : [];
}

/**
 * How latents are scaled by diffusers' config.json: latents_mean and latents_std by channel, or scaling_factor, after shift_factor is taken
 * away; undefined where it says nothing. @throws ModelError for numbers that are no scale.
 */
export function statedScale(config: unknown, channels: number, where: string): FixedScale | undefined {
  if (typeof config !== 'object' || config === null) return undefined;
  const { latents_mean, latents_std, scaling_factor, shift_factor } = config as { [key: string]: unknown };
  const fail = (what: string, fix: string): never => {
    throw new ModelError(`${where}: the configuration's ${what}`, fix);
  };
  if (latents_mean != null && latents_std != null) {
    const [mean, std] = [latents_mean, latents_std].map(numbersOf) as [number[], number[]];
    if (mean.length !== channels || std.length !== channels || std.some((of) => !(of > 0)))
      return fail('latents_mean or latents_std', `give ${channels} numbers of each, standard deviations above 0`);
    return { mean, std, multiplier: 1 };
  }
  if (scaling_factor == null) return undefined;
  const [multiplier, shift] = [scaling_factor, shift_factor ?? 0];
  if (typeof multiplier !== 'number' || !(multiplier > 0) || typeof shift !== 'number')
    return fail('scaling_factor or shift_factor', 'give a factor above 0, and a number');
  return { mean: Array(channels).fill(shift), std: Array(channels).fill(1), multiplier };
}

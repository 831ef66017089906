import type { Tape } from '../autograd/tape.ts';
import type { ConstantSpec } from '../nn/network.ts';
import type { Tensor } from '../tensor/index.ts';
import { ModelError } from './config.ts';

/** Options that both convolutional networks have; names and defaults are the reference's. */
export interface UNetConfig {
  /** Height and width of the square input. */
  input_size: number;
  in_channels: number;
  /** K; below 2 UNet+, and at 0 EDM2, takes no label. */
  num_classes: number;
  /** Channels of the first level, before its multiplier. */
  model_channels?: number;
  /** Each level's channels over model_channels; each level is half the size of the one before. */
  channel_mult?: number[];
  channel_mult_emb?: number;
  channel_mult_noise?: number;
  num_blocks?: number;
  /** Sizes at which blocks have attention. */
  attn_resolutions?: number[];
  dropout?: number;
  /** An even number of taps: [1, 1] the mean of 2 x 2 and nearest doubling, or [1, 3, 3, 1]. */
  resample_filter?: number[];
}

/** What both see of the time: u = slope t + shift, which is ln(sigma) / 4 of EDM. */
export const TIME = { slope: 2.68, shift: -1.59 };

/** Most taps of a filter that images are resampled by. */
const MOST_TAPS = 8;

/** @throws ModelError for sizes that do not go together. */
export function checkUNet(
  c: UNetConfig & { channel_mult: readonly number[]; resample_filter: readonly number[] },
): void {
  const whole = (name: string, value: number | undefined, least: number) => {
    if (value !== undefined && (!Number.isInteger(value) || value < least))
      throw new ModelError(`${name} is ${value}`, `give a whole number of at least ${least}`);
  };
  whole('input_size', c.input_size, 1);
  whole('in_channels', c.in_channels, 1);
  whole('num_classes', c.num_classes, 0);
  whole('model_channels', c.model_channels, 1);
  whole('num_blocks', c.num_blocks, 1);
  if (c.channel_mult.length === 0) throw new ModelError('channel_mult has no level', 'give a multiplier a level');
  for (const mult of c.channel_mult) whole('channel_mult', mult, 1);
  const smallest = 2 ** (c.channel_mult.length - 1);
  if (c.input_size % smallest !== 0)
    throw new ModelError(
      `input_size ${c.input_size} is not halved ${c.channel_mult.length - 1} times`,
      `give a multiple of ${smallest}, or fewer levels in channel_mult`,
    );
  const { dropout = 0, resample_filter: filter } = c;
  if (!(dropout >= 0 && dropout < 1)) throw new ModelError(`dropout is ${dropout}`, 'give 0 or more, and less than 1');
  if (
    filter.length === 0 ||
    filter.length % 2 !== 0 ||
    filter.length > MOST_TAPS ||
    filter.reduce((a, b) => a + b) === 0
  )
    throw new ModelError(
      `resample_filter is [${filter}]`,
      `give an even number of taps, ${MOST_TAPS} at most, whose sum is not 0`,
    );
}

/** A filter as checkpoints hold it, [1, 1, n, n], of the sum 1. */
export function filterBuffer(name: string, taps: readonly number[]): ConstantSpec {
  const sum = taps.reduce((a, b) => a + b, 0);
  const data = Float32Array.from(taps.flatMap((a) => taps.map((b) => (a * b) / sum ** 2)));
  return { name, shape: [1, 1, taps.length, taps.length], data };
}

/** Without a recording, frees what a block of the decoder has read: its alone, unless a later block joins it. */
export function releaseDead(tape: Tape, read: readonly (Tensor | undefined)[], skips: readonly Tensor[]): void {
  if (tape.recording) return;
  for (const tensor of read) if (tensor && !skips.includes(tensor)) tape.release(tensor);
}

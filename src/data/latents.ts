import { STREAM, uniformU32 } from '../rng/philox.ts';

/** How latents and what the network sees belong together: x = (latent - mean) / std * multiplier, by channel. */
export interface LatentScale {
  /** [C]. */
  readonly mean: Float32Array;
  /** [C], above 0. */
  readonly std: Float32Array;
  readonly multiplier: number;
}

/** Scales latents [N, C, ...] of `pixels` values a channel in place, to what the network sees. */
export function normaliseLatents(values: Float32Array, pixels: number, { mean, std, multiplier }: LatentScale): void {
  for (let start = 0, channel = 0; start < values.length; start += pixels, channel = (channel + 1) % mean.length) {
    const shift = mean[channel] as number;
    const factor = multiplier / (std[channel] as number);
    for (let i = start; i < start + pixels; i++) values[i] = ((values[i] as number) - shift) * factor;
  }
}

/** The way back from normaliseLatents, in place: what a decoder takes. */
export function denormaliseLatents(values: Float32Array, pixels: number, { mean, std, multiplier }: LatentScale): void {
  for (let start = 0, channel = 0; start < values.length; start += pixels, channel = (channel + 1) % mean.length) {
    const shift = mean[channel] as number;
    const factor = (std[channel] as number) / multiplier;
    for (let i = start; i < start + pixels; i++) values[i] = (values[i] as number) * factor + shift;
  }
}

/** Whether the item at a position of the sequence is taken mirrored: a fair coin, a function of (seed, position) alone. */
export function isFlipped(seed: number, position: number): boolean {
  return uniformU32(seed, STREAM.data, Math.floor(position / 2 ** 32), position % 2 ** 32) >= 2 ** 31;
}

/** At most `most` items of `size`, evenly spread over all, rising. */
export function evenlySpread(size: number, most: number): Uint32Array {
  const chosen = Math.min(size, most);
  return Uint32Array.from({ length: chosen }, (_, i) => Math.floor((i * size) / chosen));
}

/** Mean and standard deviation by channel, in doubles, one run of values after the other (Chan et al. 1979). */
export class ChannelMoments {
  readonly #count: Float64Array;
  readonly #mean: Float64Array;
  /** Sum of the squared distances from the mean. */
  readonly #squares: Float64Array;

  constructor(channels: number) {
    this.#count = new Float64Array(channels);
    this.#mean = new Float64Array(channels);
    this.#squares = new Float64Array(channels);
  }

  /** Takes in latents [N, C, ...] of `pixels` values a channel. */
  add(values: Float32Array, pixels: number): void {
    const channels = this.#mean.length;
    for (let start = 0, channel = 0; start < values.length; start += pixels, channel = (channel + 1) % channels) {
      let sum = 0;
      for (let i = start; i < start + pixels; i++) sum += values[i] as number;
      const mean = sum / pixels;
      let squares = 0;
      for (let i = start; i < start + pixels; i++) squares += ((values[i] as number) - mean) ** 2;
      this.#merge(channel, pixels, mean, squares);
    }
  }

  #merge(channel: number, count: number, mean: number, squares: number): void {
    const before = this.#count[channel] as number;
    const total = before + count;
    const delta = mean - (this.#mean[channel] as number);
    this.#count[channel] = total;
    this.#mean[channel]! += (delta * count) / total;
    this.#squares[channel]! += squares + (delta * delta * before * count) / total;
  }

  /** The statistics so far, [C] each; the deviation is the unbiased one, as torch.std, and NaN of a single value. */
  result(): { mean: Float32Array<ArrayBuffer>; std: Float32Array<ArrayBuffer> } {
    return {
      mean: Float32Array.from(this.#mean),
      std: Float32Array.from(this.#squares, (squares, c) => Math.sqrt(squares / ((this.#count[c] as number) - 1))),
    };
  }
}

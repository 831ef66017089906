/** Shapes of convolutions: those of tests, and those that the bench times. */
import type { ConvSizes } from '../../src/kernels/conv.ts';

export const images = (batch: number, height: number, width: number, channels: number, out_channels: number) => ({
  batch,
  height,
  width,
  channels,
  out_channels,
});

/** EDM2-S, and UNet+ at CIFAR-10's size. */
export const CONV_BENCH: ConvSizes[] = [
  { ...images(16, 64, 64, 192, 192), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 32, 32, 384, 384), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 16, 16, 576, 576), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 8, 8, 768, 768), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 32, 32, 960, 384), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(64, 32, 32, 256, 256), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(64, 16, 16, 512, 256), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(64, 8, 8, 256, 256), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 64, 64, 5, 192), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(16, 64, 64, 192, 4), kernel: [3, 3], padding: [1, 1, 1, 1] },
];
/** Of SD-VAE's decoder at a picture of 256, and DC-AE's gated convolution. */
export const DECODERS: ConvSizes[] = [
  { ...images(1, 32, 32, 512, 512), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 64, 64, 512, 512), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 128, 128, 512, 256), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 256, 256, 256, 128), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 256, 256, 128, 3), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 16, 16, 8192, 8192), kernel: [3, 3], padding: [1, 1, 1, 1], groups: 8192 },
];

/** 1, primes, sizes that no tile divides; strides, a padding of each side, groups, one channel a group. */
export const CONV_SIZES: ConvSizes[] = [
  { ...images(1, 1, 1, 1, 1), kernel: [1, 1] },
  { ...images(2, 7, 11, 5, 37), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 13, 5, 12, 41), kernel: [3, 3], padding: [1, 1, 1, 1] },
  { ...images(1, 9, 8, 8, 4), kernel: [3, 3], stride: 2, padding: [0, 0, 1, 1] },
  { ...images(2, 11, 9, 3, 7), kernel: [5, 3], stride: 3, padding: [2, 0, 1, 2] },
  { ...images(1, 6, 7, 12, 24), kernel: [3, 3], padding: [1, 1, 1, 1], groups: 3 },
  { ...images(1, 6, 7, 13, 13), kernel: [3, 3], padding: [1, 1, 1, 1], groups: 13 },
  { ...images(1, 8, 8, 20, 68), kernel: [1, 1] },
  { ...images(3, 5, 7, 3, 5), kernel: [2, 2] }, // a column that no window covers
];

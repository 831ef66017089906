import { channelsFirst, channelsLast } from '../../autograd/ops/channels_last.ts';
import { wideAttentionOf } from '../../autograd/ops/wide_attention.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Architecture, NetworkTensor } from './architecture.ts';
import { klNaming } from './kl_names.ts';
import { type ConvolutionParts, convolve, convolveLast, normed } from './layers.ts';
import { freeImages, type Images, imagesOf, sizeOf, walkParts, wholeOf } from './strips.ts';
import { convTensors, normTensors } from './tensors.ts';
import { fromUnit, toUnit, unitTensors } from './unit_pictures.ts';

/** Sizes of an autoencoder of latent diffusion. */
export interface KLSizes {
  /** Channels of each level, from the picture's size down. */
  readonly widths: readonly number[];
  /** Res blocks of a level of the encoder; the decoder has one more. */
  readonly blocks: number;
  /** Channels of latents, and of what the encoder's and decoder's convolutions have in their place. */
  readonly latentChannels: number;
  readonly innerChannels?: number;
  /** Levels with attention behind each block. */
  readonly encoderAttention: readonly number[];
  readonly decoderAttention: readonly number[];
  readonly midAttention: boolean;
  readonly quantised: boolean;
  readonly postQuantised: boolean;
  /** Groups of the norms. */
  readonly groups: number;
  /** Bytes that a strip of images may have; what the device can bind if left out. */
  readonly most?: number;
}

const EPS = 1e-6;
/** What training leaves in a file: discriminators and perceptual losses, and VA-VAE's alignment with a model of features. */
const UNUSED = /^(loss|foundation_model|linear_proj|proj\w*|model_ema)\./;

/** A part of the encoder or decoder, by its name among ldm's. */
type Part =
  | { kind: 'res'; name: string; into: number; out: number }
  | { kind: 'attention' | 'down' | 'up'; name: string; channels: number };

/**
 * The autoencoder of latent diffusion (Rombach et al. 2022): SD-VAE, VA-VAE and E2E-VAE. Names are ldm's. @param pictures `unit` where the
 * network has them in 0..1.
 */
export function klAutoencoder(sizes: KLSizes, pictures: 'centred' | 'unit' = 'centred'): Architecture {
  const { widths, latentChannels: z, innerChannels = z, quantised, postQuantised, groups, most } = sizes;
  const [narrow, wide] = [widths[0] as number, widths.at(-1) as number];
  const [encoder, decoder] = [encoderParts(sizes), decoderParts(sizes)];
  const unit = pictures === 'unit';
  const norm = (name: string, silu: boolean) => ({ name, groups, eps: EPS, silu });

  const tensors: NetworkTensor[] = [
    ...(unit ? unitTensors : []),
    ...convTensors('encoder.conv_in', narrow, 3, 3),
    ...encoder.flatMap(partTensors),
    ...normTensors('encoder.norm_out', wide),
    ...convTensors('encoder.conv_out', 2 * innerChannels, wide, 3),
    ...(quantised ? convTensors('quant_conv', 2 * z, 2 * innerChannels, 1) : []),
    ...(postQuantised ? convTensors('post_quant_conv', innerChannels, z, 1) : []),
    ...convTensors('decoder.conv_in', wide, innerChannels, 3),
    ...decoder.flatMap(partTensors),
    ...normTensors('decoder.norm_out', narrow),
    ...convTensors('decoder.conv_out', 3, narrow, 3),
  ];

  const run = (tape: Tape, w: Weights, part: Part, x: Images): Images => {
    if (part.kind === 'res') return res(tape, w, part, x);
    if (part.kind === 'attention') return attend(tape, w, part.name, x);
    if (part.kind === 'up') return convolve(tape, w, `${part.name}.conv`, x, { doubled: true }); // [B, 2H, 2W, C]
    return convolve(tape, w, `${part.name}.conv`, x, { stride: 2, padding: [0, 0, 1, 1] }); // [B, H/2, W/2, C]
  };
  const res = (tape: Tape, w: Weights, { name, into, out }: Part & { kind: 'res' }, x: Images): Images => {
    const h = convolve(tape, w, `${name}.conv1`, x, { normed: norm(`${name}.norm1`, true) }); // [B, H, W, out]
    const residual = into === out ? x : convolve(tape, w, `${name}.nin_shortcut`, x, { side: 1 });
    return convolveLast(tape, w, `${name}.conv2`, h, { normed: norm(`${name}.norm2`, true), residual });
  };
  const attend = (tape: Tape, w: Weights, name: string, x: Images): Images => {
    const { batch, width, channels } = sizeOf(x);
    const h = normed(tape, w, x, norm(`${name}.norm`, false)); // [B, H, W, C]
    const tokens = (part: string): Tensor => {
      const all = wholeOf(tape, convolve(tape, w, `${name}.${part}`, h, { side: 1 }));
      return all.view(batch, x.height * width, channels); // [B, HW, C]
    };
    const [q, k, v] = [tokens('q'), tokens('k'), tokens('v')];
    freeImages(tape, h);
    const scores = Number.isFinite(x.most) ? { most: x.most / 4 } : {};
    const y = wideAttentionOf(tape, q, k, v, scores); // [B, HW, C]
    if (!tape.recording) for (const tensor of [q, k, v]) tape.release(tensor);
    const a = imagesOf(tape, y.view(batch, x.height, width, channels), x.most);
    return convolveLast(tape, w, `${name}.proj_out`, a, { side: 1, residual: x }); // [B, H, W, C]
  };
  const walk = (tape: Tape, w: Weights, parts: readonly Part[], given: Images): Images =>
    walkParts(tape, parts, given, (part, x) => run(tape, w, part, x));
  const last = (tape: Tape, w: Weights, name: string, x: Images, o: ConvolutionParts = {}): Tensor => {
    const y = convolveLast(tape, w, name, x, o);
    const whole = wholeOf(tape, y);
    if (y.strips[0] !== whole) freeImages(tape, y);
    return whole;
  };

  return {
    latentChannels: z,
    downscale: 2 ** (widths.length - 1),
    // The first block of the decoder's last level has the channels of the level before.
    numbersPerPixel: widths[1] ?? narrow,
    tensors,
    naming: (names) => klNaming(names, widths.length),
    unused: UNUSED,
    encode(tape, w, given) {
      let x = imagesOf(tape, channelsLast(tape, given), most); // [B, H, W, 3]
      if (unit) x = imagesOf(tape, toUnit(tape, w, x.strips[0] as Tensor), most);
      x = walk(tape, w, encoder, convolveLast(tape, w, 'encoder.conv_in', x)); // [B, h, w, C]
      let moments = last(tape, w, 'encoder.conv_out', x, { normed: norm('encoder.norm_out', true) }); // [B, h, w, 2z]
      if (quantised) moments = last(tape, w, 'quant_conv', imagesOf(tape, moments, most), { side: 1 });
      return channelsFirst(tape, moments); // [B, 2z, h, w]
    },
    decode(tape, w, latents) {
      let x = imagesOf(tape, channelsLast(tape, latents), most); // [B, h, w, z]
      if (postQuantised) x = convolveLast(tape, w, 'post_quant_conv', x, { side: 1 });
      x = walk(tape, w, decoder, convolveLast(tape, w, 'decoder.conv_in', x)); // [B, H, W, C]
      const made = last(tape, w, 'decoder.conv_out', x, { normed: norm('decoder.norm_out', true) }); // [B, H, W, 3]
      return channelsFirst(tape, unit ? fromUnit(tape, w, made) : made); // [B, 3, H, W]
    },
  };
}

function partTensors(part: Part): NetworkTensor[] {
  const { name } = part;
  if (part.kind === 'res') {
    const { into, out } = part;
    return [
      ...normTensors(`${name}.norm1`, into),
      ...convTensors(`${name}.conv1`, out, into, 3),
      ...normTensors(`${name}.norm2`, out),
      ...convTensors(`${name}.conv2`, out, out, 3),
      ...(into === out ? [] : convTensors(`${name}.nin_shortcut`, out, into, 1)),
    ];
  }
  const { channels } = part;
  if (part.kind !== 'attention') return convTensors(`${name}.conv`, channels, channels, 3);
  return [
    ...normTensors(`${name}.norm`, channels),
    ...['q', 'k', 'v', 'proj_out'].flatMap((part) => convTensors(`${name}.${part}`, channels, channels, 1)),
  ];
}

const midParts = (side: string, channels: number, attention: boolean): Part[] => [
  { kind: 'res', name: `${side}.mid.block_1`, into: channels, out: channels },
  ...(attention ? [{ kind: 'attention', name: `${side}.mid.attn_1`, channels } as const] : []),
  { kind: 'res', name: `${side}.mid.block_2`, into: channels, out: channels },
];

/** The blocks of one level, each with attention behind it or without. */
function levelParts(at: string, count: number, before: number, channels: number, attention: boolean): Part[] {
  return Array.from({ length: count }, (_, i): Part[] => [
    { kind: 'res', name: `${at}.block.${i}`, into: i === 0 ? before : channels, out: channels },
    ...(attention ? [{ kind: 'attention', name: `${at}.attn.${i}`, channels } as const] : []),
  ]).flat();
}

function encoderParts({ widths, blocks, encoderAttention, midAttention }: KLSizes): Part[] {
  const levels = widths.flatMap((channels, level): Part[] => {
    const at = `encoder.down.${level}`;
    const before = widths[Math.max(0, level - 1)] as number;
    return [
      ...levelParts(at, blocks, before, channels, encoderAttention.includes(level)),
      ...(level < widths.length - 1 ? [{ kind: 'down', name: `${at}.downsample`, channels } as const] : []),
    ];
  });
  return [...levels, ...midParts('encoder', widths.at(-1) as number, midAttention)];
}

function decoderParts({ widths, blocks, decoderAttention, midAttention }: KLSizes): Part[] {
  const levels = [...widths.entries()].reverse().flatMap(([level, channels]): Part[] => {
    const at = `decoder.up.${level}`;
    const before = widths[Math.min(widths.length - 1, level + 1)] as number;
    return [
      ...levelParts(at, blocks + 1, before, channels, decoderAttention.includes(level)),
      ...(level > 0 ? [{ kind: 'up', name: `${at}.upsample`, channels } as const] : []),
    ];
  });
  return [...midParts('decoder', widths.at(-1) as number, midAttention), ...levels];
}

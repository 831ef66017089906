import { selfAttention } from '../autograd/ops/attention.ts';
import { cast } from '../autograd/ops/cast.ts';
import { channelsFirst, channelsLast } from '../autograd/ops/channels_last.ts';
import { combine } from '../autograd/ops/combine.ts';
import { concat } from '../autograd/ops/concat.ts';
import { conv2d } from '../autograd/ops/convolution.ts';
import { labelMix, waveEmbedding } from '../autograd/ops/embedding.ts';
import { groupNorm } from '../autograd/ops/group_norm.ts';
import { linear } from '../autograd/ops/linear.ts';
import { resample } from '../autograd/ops/resample.ts';
import { add, addPerSample } from '../autograd/ops/residual.ts';
import { convWeight } from '../autograd/ops/weight_norm.ts';
import type { Tape } from '../autograd/tape.ts';
import type { ConstantSpec, InitSpec, Training, VelocityNetwork, Weights } from '../nn/network.ts';
import { randomConstant } from '../nn/tables.ts';
import type { Tensor } from '../tensor/index.ts';
import { ModelError } from './config.ts';
import { checkUNet, filterBuffer, releaseDead, TIME, type UNetConfig } from './unet.ts';

/** Options of UNet+ beside those of every U-net; left out, it is DDPM++. */
export interface UNetPlusOptions {
  embedding_type?: 'positional' | 'fourier';
  encoder_type?: 'standard' | 'skip' | 'residual';
  decoder_type?: 'standard' | 'skip';
}

export type UNetPlusConfig = UNetConfig & UNetPlusOptions;

const EPS = 1e-6;
const HALF = Math.SQRT1_2; // sums of two are over sqrt 2

/** A block of the network: its channels, whether it resamples, whether attention follows, whether a skip is joined to its input. */
interface Block {
  readonly name: string;
  readonly into: number;
  readonly out: number;
  readonly resample?: 'down' | 'up';
  readonly attention?: boolean;
}

/** One level: its blocks from the input to the smallest image, and back. */
interface Level {
  readonly size: number;
  readonly encoder: readonly Block[];
  readonly decoder: readonly Block[];
  /** Channels of the image pyramid before this level, and of the features that it is added to. */
  readonly aux: { readonly into: number; readonly out: number };
  /** Channels at its end. */
  readonly width: number;
}

/**
 * UNet+, the U-net of Song et al. 2021 as Karras et al. 2022 have it: DDPM++, and by its options NCSN++. Images are channel-last within,
 * blocks and parameters have the reference's names.
 */
export function unetplus(config: UNetPlusConfig): VelocityNetwork {
  const { input_size: side, in_channels: channels, num_classes: classes } = config;
  const { model_channels: width = 128, channel_mult = [2, 2, 2], channel_mult_emb = 4, num_blocks = 4 } = config;
  const { attn_resolutions = [16], dropout = 0.2, channel_mult_noise = 1, resample_filter = [1, 1] } = config;
  const { embedding_type = 'positional', encoder_type = 'standard', decoder_type = 'standard' } = config;
  checkUNet({ ...config, model_channels: width, channel_mult, num_blocks, dropout, resample_filter });
  const conditional = classes >= 2;
  const noise = width * channel_mult_noise;
  const embedded = width * channel_mult_emb;
  if (noise < 4 || noise % 2 !== 0)
    throw new ModelError(`${noise} channels of the time's waves`, 'give an even number of at least 4');
  const isMean = resample_filter.length === 2 && resample_filter[0] === resample_filter[1];
  const taps = resample_filter.length;

  const levels = plan();
  const last = levels.length - 1;
  const blocks = [...levels.flatMap((l) => l.encoder), ...[...levels].reverse().flatMap((l) => l.decoder)];
  const layerOf = new Map(blocks.map(({ name }, i) => [name, i]));
  /** Levels whose features become an image, from which the result is summed up. */
  const isOutput = (level: number) => level === 0 || decoder_type === 'skip';

  function plan(): Level[] {
    const skips = [width];
    /** Channels that a level's first block takes. */
    const entering = (level: number) => (level === 0 ? width : width * (channel_mult[level - 1] as number));
    const encoders = channel_mult.map((mult, level) => {
      const size = side >> level;
      const before = entering(level);
      const at = `enc.${size}x${size}`;
      const encoder: Block[] = [];
      if (level > 0) {
        encoder.push({ name: `${at}_down`, into: before, out: before, resample: 'down' });
        skips.push(before);
      }
      for (let i = 0; i < num_blocks; i++) {
        const into = i === 0 ? before : width * mult;
        const attention = attn_resolutions.includes(size);
        encoder.push({ name: `${at}_block${i}`, into, out: width * mult, attention });
        skips.push(width * mult);
      }
      // The first of the pyramid is the image; under `residual` the others have the features' channels.
      const aux = { into: level < 2 || encoder_type !== 'residual' ? channels : entering(level - 1), out: before };
      return { size, encoder, aux, width: width * mult };
    });
    let into = width * (channel_mult.at(-1) as number);
    const decoders = encoders
      .map(({ size, width: out }, level) => ({ size, out, level }))
      .reverse()
      .map(({ size, out, level }) => {
        const at = `dec.${size}x${size}`;
        const decoder: Block[] =
          level === channel_mult.length - 1
            ? [
                { name: `${at}_in0`, into, out: into, attention: true },
                { name: `${at}_in1`, into, out: into },
              ]
            : [{ name: `${at}_up`, into, out: into, resample: 'up' }];
        for (let i = 0; i <= num_blocks; i++) {
          const attention = i === num_blocks && attn_resolutions.includes(size);
          decoder.push({ name: `${at}_block${i}`, into: into + (skips.pop() as number), out, attention });
          into = out;
        }
        return decoder;
      })
      .reverse();
    return encoders.map((encoder, level) => ({ ...encoder, decoder: decoders[level] as Block[] }));
  }

  const parameters: InitSpec[] = [];
  const filters: ConstantSpec[] = [];
  const affine = (name: string, out: number, into: number, window: readonly number[], gain = 1) => {
    const area = window.reduce((a, b) => a * b, 1);
    const scale = gain * Math.sqrt(6 / ((into + out) * area)); // xavier-uniform, both fans by the window
    parameters.push(
      { name: `${name}.weight`, shape: [out, into, ...window], init: { draw: 'uniform', scale } },
      { name: `${name}.bias`, shape: [out], init: 'zeros' },
    );
  };
  const norm = (name: string, of: number) =>
    parameters.push(
      { name: `${name}.weight`, shape: [of], init: 'ones' },
      { name: `${name}.bias`, shape: [of], init: 'zeros' },
    );
  const filterOf = (name: string) => filters.push(filterBuffer(`${name}.resample_filter`, resample_filter));
  const describe = ({ name, into, out, resample: to, attention }: Block) => {
    norm(`${name}.norm0`, into);
    affine(`${name}.conv0`, out, into, [3, 3]);
    affine(`${name}.affine`, out, embedded, []);
    norm(`${name}.norm1`, out);
    affine(`${name}.conv1`, out, out, [3, 3], 1e-5);
    if (into !== out || to) affine(`${name}.skip`, out, into, [1, 1]);
    if (to) for (const part of ['conv0', 'skip']) filterOf(`${name}.${part}`);
    if (!attention) return;
    norm(`${name}.norm2`, out);
    affine(`${name}.qkv`, 3 * out, out, [1, 1], Math.sqrt(0.2));
    affine(`${name}.proj`, out, out, [1, 1], 1e-5);
  };
  if (conditional) affine('map_label', noise, classes, []);
  affine('map_layer0', embedded, noise, []);
  affine('map_layer1', embedded, embedded, []);
  levels.forEach(({ size, encoder, aux }, level) => {
    const at = `enc.${size}x${size}`;
    if (level === 0) affine(`${at}_conv`, width, channels, [3, 3]);
    encoder.forEach((block, i) => {
      describe(block);
      if (level === 0 || i > 0) return;
      if (encoder_type === 'skip') {
        filterOf(`${at}_aux_down`);
        affine(`${at}_aux_skip`, aux.out, channels, [1, 1]);
      } else if (encoder_type === 'residual') {
        affine(`${at}_aux_residual`, aux.out, aux.into, [3, 3]);
        filterOf(`${at}_aux_residual`);
      }
    });
  });
  [...levels].reverse().forEach(({ size, decoder, width: features }, i) => {
    const [at, level] = [`dec.${size}x${size}`, last - i];
    decoder.forEach(describe);
    if (!isOutput(level)) return;
    if (level < last && decoder_type === 'skip') filterOf(`${at}_aux_up`);
    norm(`${at}_aux_norm`, features);
    affine(`${at}_aux_conv`, channels, features, [3, 3], 1e-5);
  });
  const waves: ConstantSpec =
    embedding_type === 'fourier'
      ? randomConstant('map_noise.freqs', noise / 2, 'normal', 0.02)
      : {
          name: 'positional_frequencies',
          shape: [noise / 2],
          data: Float32Array.from({ length: noise / 2 }, (_, i) => 1e4 ** (-i / (noise / 2 - 1))),
        };

  const named = (w: Weights, name: string) => (suffix: string) => w.get(`${name}.${suffix}`);
  const groupsOf = (of: number) => Math.min(32, Math.floor(of / 4));
  const normed = (tape: Tape, w: Weights, name: string, x: Tensor, silu: boolean) =>
    groupNorm(tape, x, w.get(`${name}.weight`), w.get(`${name}.bias`), {
      groups: groupsOf(x.shape.at(-1) as number),
      eps: EPS,
      silu,
    });
  /** A convolution of the network's, 3 x 3 or 1 x 1, of the same size. */
  const conv = (tape: Tape, w: Weights, name: string, x: Tensor, options: Parameters<typeof conv2d>[5] = {}) => {
    const weight = w.get(`${name}.weight`);
    const size = weight.shape[2] as number;
    const padding = [(size - 1) / 2, (size - 1) / 2] as const;
    return conv2d(tape, x, convWeight(tape, weight), w.get(`${name}.bias`), { size: [size, size], padding }, options);
  };
  /** A convolution of the doubled, halved or same image; doubling by the mean's filter is not stored. */
  const convOf = (tape: Tape, w: Weights, name: string, x: Tensor, to: Block['resample']) => {
    if (to === 'up' && isMean) return conv(tape, w, name, x, { doubled: true });
    return conv(tape, w, name, to ? resample(tape, x, resample_filter, to) : x);
  };

  /** One head of attention over the pixels: [B, H, W, C] -> same shape. */
  const attend = (tape: Tape, w: Weights, name: string, x: Tensor): Tensor => {
    const p = named(w, name);
    const [batch, height, breadth, of] = x.shape as [number, number, number, number];
    const h = normed(tape, w, `${name}.norm2`, x, false); // [B, H, W, C]
    const weight = convWeight(tape, p('qkv.weight'), { interleave: 3 }); // q, k, v of a channel lie together
    const bias = convWeight(tape, p('qkv.bias'), { interleave: 3 });
    const qkv = conv2d(tape, h, weight, bias, { size: [1, 1] }); // [B, H, W, 3C]
    const joint = cast(tape, qkv.view(batch, height * breadth, 3 * of), tape.dtype); // [B, N, 3C]
    const a = selfAttention(tape, joint, { heads: 1, norm: 'none', eps: 0 }); // [B, N, C]
    const of4 = cast(tape, a, 'f32').view(batch, height, breadth, of); // [B, H, W, C]
    return conv(tape, w, `${name}.proj`, of4, { scale: HALF, residual: x, residualScale: HALF }); // [B, H, W, C]
  };

  const block = (tape: Tape, w: Weights, b: Block, x: Tensor, e: Tensor, training: Training | undefined): Tensor => {
    const p = named(w, b.name);
    let h = normed(tape, w, `${b.name}.norm0`, x, true); // [B, H, W, C]
    h = convOf(tape, w, `${b.name}.conv0`, h, b.resample); // [B, H', W', C']
    const shift = linear(tape, e, p('affine.weight'), p('affine.bias')); // [B, C']
    h = normed(tape, w, `${b.name}.norm1`, addPerSample(tape, h, shift), true); // [B, H', W', C']
    if (training && dropout > 0) h = training.dropout(tape, h, dropout, layerOf.get(b.name) as number, b.name);
    const skip = b.into !== b.out || b.resample ? convOf(tape, w, `${b.name}.skip`, x, b.resample) : x; // [B, H', W', C']
    const y = conv(tape, w, `${b.name}.conv1`, h, { scale: HALF, residual: skip, residualScale: HALF });
    return b.attention ? attend(tape, w, b.name, y) : y; // [B, H', W', C']
  };

  const embed = (tape: Tape, w: Weights, t: Tensor, y: Tensor): Tensor => {
    const turn = embedding_type === 'fourier' ? 2 * Math.PI : 1;
    const how = { slope: turn * TIME.slope, shift: turn * TIME.shift };
    let e = waveEmbedding(tape, t, w.get(waves.name), how); // [B, n]
    if (conditional) {
      e = labelMix(tape, e, w.get('map_label.weight'), y, { own: 1, scale: Math.sqrt(classes) });
      e = addPerSample(tape, e, w.get('map_label.bias').view(1, noise)); // of the null label too
    }
    for (const layer of ['map_layer0', 'map_layer1'])
      e = linear(tape, e, w.get(`${layer}.weight`), w.get(`${layer}.bias`), { act: 'silu' });
    return e; // [B, E]
  };

  /** What the image pyramid adds to the features after a level's first block; the image itself, smaller, comes with it. */
  const pyramid = (tape: Tape, w: Weights, size: number, x: Tensor, aux: Tensor): { x: Tensor; aux: Tensor } => {
    const at = `enc.${size}x${size}`;
    if (encoder_type === 'skip') {
      const smaller = resample(tape, aux, resample_filter, 'down'); // [B, H/2, W/2, C]
      return { x: add(tape, x, conv(tape, w, `${at}_aux_skip`, smaller)), aux: smaller };
    }
    // Convolved with as much more around it as the filter takes, and the bias after the filter.
    const more = Math.floor((taps - 1) / 2) + 1;
    const weight = convWeight(tape, w.get(`${at}_aux_residual.weight`));
    const wide = conv2d(tape, aux, weight, undefined, { size: [3, 3], padding: [more, more] });
    const small = resample(tape, wide, resample_filter, 'down', 0); // [B, H/2, W/2, C']
    const biased = addPerSample(tape, small, w.get(`${at}_aux_residual.bias`).view(1, small.shape[3] as number));
    const sum = combine(tape, x, biased, HALF, HALF);
    return { x: sum, aux: sum };
  };

  const forward: VelocityNetwork['forward'] = (tape, w, images, t, y, _span, training) => {
    const e = embed(tape, w, t, y); // [B, E]
    const run = (b: Block, x: Tensor, skip?: Tensor) =>
      tape.block([x, ...(skip ? [skip] : []), e], () =>
        block(tape, w, b, skip ? concat(tape, [x, skip]) : x, e, training),
      );
    let aux = channelsLast(tape, images); // [B, S, S, C]
    let x = conv(tape, w, `enc.${side}x${side}_conv`, aux); // [B, S, S, m]
    const skips = [x];
    for (const [level, { size, encoder }] of levels.entries())
      for (const [i, b] of encoder.entries()) {
        x = run(b, x); // [B, R, R, C]
        if (encoder_type !== 'standard' && level > 0 && i === 0) ({ x, aux } = pyramid(tape, w, size, x, aux));
        skips.push(x);
      }
    let image: Tensor | undefined;
    for (const [i, { size, decoder }] of [...levels].reverse().entries()) {
      const [at, level] = [`dec.${size}x${size}`, last - i];
      for (const b of decoder) {
        const [before, skip] = [x, b.name.includes('_block') ? skips.pop() : undefined];
        x = run(b, before, skip); // [B, R, R, C]
        releaseDead(tape, [before, skip], skips);
      }
      if (!isOutput(level)) continue;
      const before = image && resample(tape, image, resample_filter, 'up'); // [B, R, R, C]
      const features = normed(tape, w, `${at}_aux_norm`, x, true);
      image = conv(tape, w, `${at}_aux_conv`, features, {
        precision: 'f32',
        ...(before && { residual: before }),
      }); // [B, R, R, C]
    }
    return channelsFirst(tape, image as Tensor); // [B, C, S, S]
  };

  return {
    input: [channels, side, side],
    numClasses: classes,
    parameters,
    constants: [waves, ...filters],
    drops: dropout > 0,
    halves: 'products',
    forward,
  };
}

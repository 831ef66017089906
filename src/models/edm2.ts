import { activate, scaledSilu } from '../autograd/ops/activation.ts';
import { selfAttention } from '../autograd/ops/attention.ts';
import { cast } from '../autograd/ops/cast.ts';
import { channelsFirst, channelsLast } from '../autograd/ops/channels_last.ts';
import { clamp } from '../autograd/ops/combine.ts';
import { conv2d } from '../autograd/ops/convolution.ts';
import { labelMix, waveEmbedding } from '../autograd/ops/embedding.ts';
import { linear } from '../autograd/ops/linear.ts';
import { normModulate } from '../autograd/ops/norm.ts';
import { resample } from '../autograd/ops/resample.ts';
import { convWeight, forceRows } from '../autograd/ops/weight_norm.ts';
import type { Tape } from '../autograd/tape.ts';
import type { InitSpec, Module, Training, VelocityNetwork, Weights } from '../nn/network.ts';
import { randomConstant } from '../nn/tables.ts';
import type { Tensor } from '../tensor/index.ts';
import { ModelError } from './config.ts';
import { checkUNet, releaseDead, TIME, type UNetConfig } from './unet.ts';

/** Options of EDM2 beside those of every U-net. Each balance is the share of the second in a sum of two. */
export interface EDM2Options {
  label_balance?: number;
  concat_balance?: number;
  res_balance?: number;
  attn_balance?: number;
  channels_per_head?: number;
  /** Features are clamped to +- this at the end of each block. */
  clip_act?: number;
}

export type EDM2Config = UNetConfig & EDM2Options;

const EPS = 1e-4;
/** What SiLU is divided by, so that it keeps the magnitude of normal numbers: folded into the weights that follow. */
const SILU = 0.596;

/** A block of the network. The encoder's and the decoder's differ in where the skip convolution stands. */
interface Block {
  readonly name: string;
  readonly flavour: 'enc' | 'dec';
  readonly into: number;
  readonly out: number;
  readonly resample?: 'down' | 'up';
  /** Channels of the skip that is joined to its input. */
  readonly joined?: number;
  readonly heads: number;
}

/** The parts of a magnitude-preserving sum, a + b with `balance` the share of b. */
const shares = (balance: number) => {
  const size = Math.hypot(1 - balance, balance);
  return { first: (1 - balance) / size, second: balance / size };
};

/**
 * EDM2, the magnitude-preserving U-net of Karras et al. 2024. Every weight is normalised as it is used, and in training as if it had been
 * overwritten by that before (`force` does so, once a step). Images are channel-last within; blocks and parameters have the
 * reference's names.
 */
export function edm2(config: EDM2Config): VelocityNetwork {
  const { input_size: side, in_channels: channels, num_classes: classes } = config;
  const { model_channels: width = 192, channel_mult = [1, 2, 3, 4], num_blocks = 3, dropout = 0 } = config;
  const { attn_resolutions = [16, 8], resample_filter = [1, 1], channels_per_head = 64, clip_act = 256 } = config;
  const { label_balance = 0.5, concat_balance = 0.5, res_balance = 0.3, attn_balance = 0.3 } = config;
  checkUNet({ ...config, model_channels: width, channel_mult, num_blocks, dropout, resample_filter });
  for (const [name, value] of Object.entries({ label_balance, concat_balance, res_balance, attn_balance }))
    if (!(value >= 0 && value <= 1)) throw new ModelError(`${name} is ${value}`, 'give 0 to 1');
  if (!Number.isInteger(channels_per_head) || channels_per_head < 1)
    throw new ModelError(`channels_per_head is ${channels_per_head}`, 'give a whole number of at least 1');
  if (!(clip_act > 0)) throw new ModelError(`clip_act is ${clip_act}`, 'give a positive number');
  const conditional = classes > 0;
  const noise = width * (config.channel_mult_noise ?? (channel_mult[0] as number));
  const embedded = width * (config.channel_mult_emb ?? Math.max(...channel_mult));

  const { encoder, decoder } = plan();
  const blocks = [...encoder, ...decoder];
  const layerOf = new Map(blocks.map(({ name }, i) => [name, i]));
  const first = `enc.${side}x${side}_conv`;
  const outWidth = decoder.at(-1)?.out as number;

  function plan(): { encoder: Block[]; decoder: Block[] } {
    const heads = (out: number, wanted: boolean) => (wanted ? Math.floor(out / channels_per_head) : 0);
    const widths = channel_mult.map((mult) => width * mult);
    const skips = [widths[0] as number];
    const down = widths.flatMap((out, level) => {
      const size = side >> level;
      const before = widths[Math.max(0, level - 1)] as number;
      const at = { flavour: 'enc', heads: heads(out, attn_resolutions.includes(size)) } as const;
      const own: Block[] = Array.from({ length: num_blocks }, (_, i) => ({
        ...at,
        name: `enc.${size}x${size}_block${i}`,
        into: i === 0 ? before : out,
        out,
      }));
      if (level > 0)
        own.unshift({
          ...{
            flavour: 'enc',
            name: `enc.${size}x${size}_down`,
            into: before,
            out: before,
            resample: 'down',
            heads: 0,
          },
        });
      for (const block of own) skips.push(block.out);
      return own;
    });
    let into = widths.at(-1) as number;
    const up = [...widths.entries()].reverse().flatMap(([level, out]) => {
      const size = side >> level;
      const at = `dec.${size}x${size}`;
      const own: Block[] =
        level === widths.length - 1
          ? [
              { flavour: 'dec', name: `${at}_in0`, into, out: into, heads: heads(into, true) },
              { flavour: 'dec', name: `${at}_in1`, into, out: into, heads: 0 },
            ]
          : [{ flavour: 'dec', name: `${at}_up`, into, out: into, resample: 'up', heads: 0 }];
      for (let i = 0; i <= num_blocks; i++) {
        const joined = skips.pop() as number;
        const attention = heads(out, attn_resolutions.includes(size));
        own.push({ flavour: 'dec', name: `${at}_block${i}`, into: into + joined, out, joined, heads: attention });
        into = out;
      }
      return own;
    });
    return { encoder: down, decoder: up };
  }

  const parameters: InitSpec[] = [];
  const normal = { draw: 'normal', scale: 1 } as const;
  const weight = (name: string, out: number, into: number, window: readonly number[] = []) =>
    parameters.push({ name: `${name}.weight`, shape: [out, into, ...window], init: normal });
  const gain = (name: string) => parameters.push({ name, shape: [1], init: 'zeros' });
  gain('out_gain');
  weight('emb_noise', embedded, noise);
  if (conditional) weight('emb_label', embedded, classes);
  weight(first, width * (channel_mult[0] as number), channels + 1, [3, 3]);
  for (const { name, into, out, heads } of blocks) {
    // The encoder's skip convolution comes first: what follows sees `out` channels.
    const seen = name.startsWith('enc.') ? out : into;
    gain(`${name}.emb_gain`);
    weight(`${name}.conv_res0`, out, seen, [3, 3]);
    weight(`${name}.emb_linear`, out, embedded);
    weight(`${name}.conv_res1`, out, out, [3, 3]);
    if (into !== out) weight(`${name}.conv_skip`, out, into, [1, 1]);
    if (heads === 0) continue;
    weight(`${name}.attn_qkv`, 3 * out, out, [1, 1]);
    weight(`${name}.attn_proj`, out, out, [1, 1]);
  }
  weight('out_conv', channels, outWidth, [3, 3]);

  /** A weight as it is used, times `scale` and a trained gain. */
  const used = (
    tape: Tape,
    w: Weights,
    name: string,
    training: Training | undefined,
    o: { scale?: number; gain?: Tensor; interleave?: number } = {},
  ): Tensor => {
    const { interleave = 1, ...normed } = o;
    return convWeight(tape, w.get(`${name}.weight`), {
      interleave,
      normed: { eps: EPS, forced: training !== undefined, ...normed },
    });
  };
  const same = (size: number) => ({ size: [size, size], padding: [(size - 1) / 2, (size - 1) / 2] }) as const;
  const pixelNorm = (tape: Tape, x: Tensor) => normModulate(tape, x, { kind: 'pixel', eps: EPS });

  /** Attention, of which q, k and v are pixel-normalised, and its share in x: [B, H, W, C] -> same shape. */
  const attend = (tape: Tape, w: Weights, b: Block, x: Tensor, training: Training | undefined): Tensor => {
    const [batch, height, breadth, of] = x.shape as [number, number, number, number];
    const { first: own, second } = shares(attn_balance);
    const weights = used(tape, w, `${b.name}.attn_qkv`, training, { interleave: 3 }); // q, k, v of a channel lie together
    const qkv = conv2d(tape, x, weights, undefined, same(1)); // [B, H, W, 3C]
    const normed = pixelNorm(tape, qkv.view(batch, height * breadth, 3 * b.heads, of / b.heads)); // [B, N, 3 heads, d]
    const joint = normed.view(batch, height * breadth, 3 * of);
    const attended = selfAttention(tape, cast(tape, joint, tape.dtype), { heads: b.heads, norm: 'none', eps: 0 });
    const a = cast(tape, attended, 'f32').view(batch, height, breadth, of); // [B, H, W, C]
    const proj = used(tape, w, `${b.name}.attn_proj`, training, { scale: second });
    return conv2d(tape, a, proj, undefined, same(1), { residual: x, residualScale: own }); // [B, H, W, C]
  };

  /** One block; `skip` is joined to x, side by side, without being copied. */
  const block = (
    tape: Tape,
    w: Weights,
    b: Block,
    given: Tensor,
    skip: Tensor | undefined,
    e: Tensor,
    training: Training | undefined,
  ): Tensor => {
    const weightOf = (part: string, o?: Parameters<typeof used>[4]) => used(tape, w, `${b.name}.${part}`, training, o);
    const beside = skip && besides(given, skip);
    let x = b.resample ? resample(tape, given, resample_filter, b.resample) : given; // [B, H, W, C]
    if (b.flavour === 'enc') {
      if (b.into !== b.out) x = conv2d(tape, x, weightOf('conv_skip'), undefined, same(1)); // [B, H, W, C']
      x = pixelNorm(tape, x);
    }
    const read = { silu: true, ...(beside && { beside }) };
    let h = conv2d(tape, x, weightOf('conv_res0', { scale: 1 / SILU }), undefined, same(3), read); // [B, H, W, C']
    const embedding = weightOf('emb_linear', { scale: 1 / SILU, gain: w.get(`${b.name}.emb_gain`) });
    h = scaledSilu(tape, h, linear(tape, e, embedding)); // [B, H, W, C']
    if (training && dropout > 0) h = training.dropout(tape, h, dropout, layerOf.get(b.name) as number, b.name);
    if (b.flavour === 'dec' && b.into !== b.out)
      x = conv2d(tape, x, weightOf('conv_skip'), undefined, same(1), beside ? { beside } : {}); // [B, H, W, C']
    const { first: own, second } = shares(res_balance);
    const last = weightOf('conv_res1', { scale: second / SILU });
    let y = conv2d(tape, h, last, undefined, same(3), { residual: x, residualScale: own }); // [B, H, W, C']
    if (b.heads > 0) y = attend(tape, w, b, y, training);
    return clamp(tape, y, clip_act);
  };

  /** The factors of a magnitude-preserving concatenation. */
  const besides = (x: Tensor, second: Tensor) => {
    const [a, b] = [x.shape.at(-1) as number, second.shape.at(-1) as number];
    const size = Math.sqrt((a + b) / ((1 - concat_balance) ** 2 + concat_balance ** 2));
    return {
      second,
      scale: (size * (1 - concat_balance)) / Math.sqrt(a),
      scale2: (size * concat_balance) / Math.sqrt(b),
    };
  };

  /** silu of the embedding; its 1 / SILU is in the weights that read it. */
  const embed = (tape: Tape, w: Weights, t: Tensor, y: Tensor, training: Training | undefined): Tensor => {
    const phases = w.get('emb_fourier.phases');
    const waves = waveEmbedding(tape, t, w.get('emb_fourier.freqs'), { ...TIME, phases, scale: Math.SQRT2 }); // [B, n]
    let e = linear(tape, waves, used(tape, w, 'emb_noise', training)); // [B, E]
    if (conditional) {
      const { first: own, second } = shares(label_balance);
      const labels = used(tape, w, 'emb_label', training, { scale: second * Math.sqrt(classes) });
      e = labelMix(tape, e, labels, y, { own, scale: 1 }); // [B, E]; at the null label e itself
    }
    return activate(tape, e, 'silu'); // [B, E]
  };

  const forward: VelocityNetwork['forward'] = (tape, w, images, t, y, _span, training) => {
    const e = embed(tape, w, t, y, training); // [B, E]
    const run = (b: Block, x: Tensor, skip?: Tensor) =>
      tape.block([x, ...(skip ? [skip] : []), e], () => block(tape, w, b, x, skip, e, training));
    const pixels = channelsLast(tape, images, 1); // [B, S, S, C + 1]
    let x = conv2d(tape, pixels, used(tape, w, first, training), undefined, same(3)); // [B, S, S, m]
    const skips = [x];
    for (const b of encoder) {
      x = run(b, x); // [B, R, R, C]
      skips.push(x);
    }
    for (const b of decoder) {
      const [before, skip] = [x, b.joined ? skips.pop() : undefined];
      x = run(b, before, skip); // [B, R, R, C]
      releaseDead(tape, [before, skip], skips);
    }
    const out = used(tape, w, 'out_conv', training, { gain: w.get('out_gain') });
    return channelsFirst(tape, conv2d(tape, x, out, undefined, same(3), { precision: 'f32' })); // [B, C, S, S]
  };

  const force: Module['force'] = (workspace, w, clip) => {
    for (const { name } of parameters) if (name.endsWith('.weight')) forceRows(workspace, w.get(name), EPS, clip);
  };

  return {
    input: [channels, side, side],
    numClasses: classes,
    parameters,
    constants: [
      randomConstant('emb_fourier.freqs', noise, 'normal', 2 * Math.PI),
      randomConstant('emb_fourier.phases', noise, 'uniform', 2 * Math.PI),
    ],
    drops: dropout > 0,
    halves: 'products',
    forward,
    force,
  };
}

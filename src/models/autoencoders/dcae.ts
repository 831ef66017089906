import { activate, swiglu } from '../../autograd/ops/activation.ts';
import { channelsFirst, channelsLast } from '../../autograd/ops/channels_last.ts';
import { linearAttention, linearAttentionOf } from '../../autograd/ops/linear_attention.ts';
import { normModulate } from '../../autograd/ops/norm.ts';
import { pixelShuffle, pixelUnshuffle } from '../../autograd/ops/pixel_shuffle.ts';
import { add } from '../../autograd/ops/residual.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Architecture, NetworkTensor } from './architecture.ts';
import { dcNaming } from './dcae_names.ts';
import { convolve, convolveLast } from './layers.ts';
import {
  eachStrip,
  freeImages,
  type Images,
  imagesOf,
  planStrips,
  scopedImages,
  sizeOf,
  walkParts,
  wholeOf,
  withRows,
} from './strips.ts';
import { batchNormedConv, convTensors, normTensors, swappedHalves } from './tensors.ts';

/** One stage: blocks at one size of images. */
export interface DCStage {
  readonly width: number;
  readonly depth: number;
  /** Residual convolutions, or linear attention with a gated convolution. */
  readonly block: 'res' | 'vit';
  /** Side of the windows that queries, keys and values are gathered over once more, if they are. */
  readonly scale?: number;
  /** Of residual blocks. */
  readonly norm: 'rms' | 'batch';
  readonly act: 'relu' | 'silu';
}

/** Sizes of a deep compression autoencoder, stages from the picture's size down. */
export interface DCSizes {
  readonly latentChannels: number;
  readonly encoder: readonly DCStage[];
  readonly decoder: readonly DCStage[];
  readonly down: 'unshuffle' | 'conv';
  readonly up: 'shuffle' | 'nearest';
  /** Channels of a head. */
  readonly headDim: number;
  /** Bytes that a strip of images may have; what the device can bind if left out. */
  readonly most?: number;
}

const EPS = 1e-5;
/** Channels of the gated convolution for each of the stage, halves of which are gates. */
const EXPANDED = 8;
const UNUSED = /\.num_batches_tracked$/;

/** A part of the encoder or decoder, by its name in efficientvit. */
type Part =
  | { kind: 'block'; name: string; stage: DCStage }
  | { kind: 'down' | 'up'; name: string; into: number; out: number };

/** Deep compression autoencoder (Chen et al. 2025): DC-AE in-1.0's form and sana's. Names are efficientvit's. */
export function dcAutoencoder(sizes: DCSizes): Architecture {
  const { latentChannels: z, encoder, decoder, down, up, headDim, most } = sizes;
  const [encoderParts, decoderParts] = [partsOf('encoder', encoder, down), partsOf('decoder', decoder, up)];
  const first = encoder.find(({ depth }) => depth > 0) as DCStage;
  const last = decoder.find(({ depth }) => depth > 0) as DCStage;
  const [encodedWidth, decodedWidth] = [encoder.at(-1)?.width as number, decoder.at(-1)?.width as number];
  // Where the first stage has no blocks, pictures are folded to half the size at once.
  const folded = { in: encoder[0]?.depth === 0, out: decoder[0]?.depth === 0 };
  const inName = `encoder.project_in.conv${folded.in ? '.conv' : ''}`;
  const outName = `decoder.project_out.op_list.2.conv${folded.out ? '.conv' : ''}`;

  const tensorsOf = (part: Part): NetworkTensor[] => {
    if (part.kind === 'block') return blockTensors(part.name, part.stage, headDim);
    if (part.kind === 'down')
      return convTensors(part.name, down === 'unshuffle' ? part.out / 4 : part.out, part.into, 3);
    return convTensors(part.name, up === 'shuffle' ? 4 * part.out : part.out, part.into, 3);
  };
  const tensors: NetworkTensor[] = [
    ...convTensors(inName, folded.in ? first.width / 4 : first.width, 3, 3),
    ...encoderParts.flatMap(tensorsOf),
    ...convTensors('encoder.project_out.main.op_list.0.conv', z, encodedWidth, 3),
    ...convTensors('decoder.project_in.main.conv', decodedWidth, z, 3),
    ...decoderParts.flatMap(tensorsOf),
    ...normTensors('decoder.project_out.op_list.0', last.width),
    ...convTensors(outName, folded.out ? 12 : 3, last.width, 3),
  ];

  const run = (tape: Tape, w: Weights, part: Part, x: Images): Images => {
    if (part.kind === 'block')
      return part.stage.block === 'res' ? res(tape, w, part.name, part.stage, x) : vit(tape, w, part.name, x, headDim);
    const { name, into, out } = part;
    if (part.kind === 'down') {
      const shortcut = unshuffled(tape, x, (4 * into) / out); // [B, H/2, W/2, out]
      if (down === 'conv') return convolve(tape, w, name, x, { stride: 2, residual: shortcut });
      return summed(tape, unshuffled(tape, convolve(tape, w, name, x)), shortcut);
    }
    const shortcut = shuffled(tape, x, (4 * out) / into); // [B, 2H, 2W, out]
    if (up === 'nearest') return convolve(tape, w, name, x, { doubled: true, residual: shortcut });
    return summed(tape, shuffled(tape, convolve(tape, w, name, x)), shortcut);
  };
  const walk = (tape: Tape, w: Weights, parts: readonly Part[], given: Images): Images =>
    walkParts(tape, parts, given, (part, x) => run(tape, w, part, x));

  return {
    latentChannels: z,
    downscale: 2 ** (encoder.length - 1),
    numbersPerPixel: Math.max(
      ...[encoder, decoder].flatMap((stages) => stages.map((stage, level) => widest(stage) / 4 ** level)),
    ),
    tensors,
    naming: dcNaming,
    unused: UNUSED,
    encode(tape, w, pictures) {
      const picture = imagesOf(tape, channelsLast(tape, pictures), most); // [B, H, W, 3]
      let x = convolveLast(tape, w, inName, picture);
      if (folded.in) x = freed(tape, x, unshuffled(tape, x)); // [B, H/2, W/2, C]
      x = walk(tape, w, encoderParts, x); // [B, h, w, C]
      const shortcut = eachStrip(x, (strip) => pixelUnshuffle(tape, strip, 1, encodedWidth / z));
      const y = convolveLast(tape, w, 'encoder.project_out.main.op_list.0.conv', x, { residual: shortcut });
      return channelsFirst(tape, wholeOf(tape, y)); // [B, z, h, w]
    },
    decode(tape, w, latents) {
      const given = imagesOf(tape, channelsLast(tape, latents), most); // [B, h, w, z]
      const shortcut = eachStrip(given, (strip) => pixelShuffle(tape, strip, 1, decodedWidth / z));
      let x = convolveLast(tape, w, 'decoder.project_in.main.conv', given, { residual: shortcut }); // [B, h, w, C]
      x = walk(tape, w, decoderParts, x); // [B, H, W, C]
      x = scopedImages(tape, () =>
        eachStrip(rmsNormed(tape, w, 'decoder.project_out.op_list.0', x), (strip) => activate(tape, strip, 'relu')),
      );
      let y = convolveLast(tape, w, outName, x); // [B, H, W, 3]
      if (folded.out) y = freed(tape, y, shuffled(tape, y));
      return channelsFirst(tape, wholeOf(tape, y)); // [B, 3, H, W]
    },
  };
}

/** Channels of the widest tensor of a stage: of gated convolutions that of gates and gated. */
const widest = ({ width, depth, block }: DCStage): number =>
  depth === 0 ? 0 : block === 'vit' ? EXPANDED * width : width;

/** A residual block: x + norm(conv2(act(conv1 x))). A batch norm is part of conv2's weights. */
function res(tape: Tape, w: Weights, name: string, { norm, act }: DCStage, x: Images): Images {
  const h = convolve(tape, w, `${name}.main.conv1.conv`, x, { act }); // [B, H, W, C]
  if (norm === 'batch') return convolveLast(tape, w, `${name}.main.conv2.conv`, h, { residual: x });
  const y = convolveLast(tape, w, `${name}.main.conv2.conv`, h);
  return summed(tape, rmsNormed(tape, w, `${name}.main.conv2.norm`, y), x);
}

/** Linear attention over all pixels, then a gated convolution of each one's neighbourhood. */
function vit(tape: Tape, w: Weights, name: string, x: Images, headDim: number): Images {
  const context = `${name}.context_module.main`;
  const attended = scopedImages(tape, () => {
    const qkv = convolve(tape, w, `${context}.qkv.conv`, x, { side: 1 }); // [B, H, W, 3C]
    const beside = w.has(`${context}.aggreg.0.0.weight`)
      ? gathered(tape, w, `${context}.aggreg.0`, qkv, headDim)
      : undefined;
    const a = attend(tape, qkv, headDim); // [B, H, W, C]
    const second = beside && attend(tape, beside, headDim);
    const y = convolve(tape, w, `${context}.proj.conv`, a, { side: 1, ...(second && { beside: second }) }); // [B, H, W, C]
    return summed(tape, rmsNormed(tape, w, `${context}.proj.norm`, y), x);
  });
  const local = `${name}.local_module.main`;
  const wide = convolve(tape, w, `${local}.inverted_conv.conv`, attended, { side: 1, act: 'silu' }); // [B, H, W, 8C]
  const { channels } = sizeOf(wide);
  const gates = convolveLast(tape, w, `${local}.depth_conv.conv`, wide, { groups: channels }); // [B, H, W, 8C]
  const gated = freed(
    tape,
    gates,
    eachStrip(gates, (strip) => swiglu(tape, strip)),
  ); // [B, H, W, 4C]
  const y = convolveLast(tape, w, `${local}.point_conv.conv`, gated, { side: 1 }); // [B, H, W, C]
  return summed(tape, rmsNormed(tape, w, `${local}.point_conv.norm`, y), attended);
}

/** Queries, keys and values gathered over windows, each channel for itself, and mixed in groups: [B, H, W, 3C] -> same shape. */
function gathered(tape: Tape, w: Weights, name: string, qkv: Images, headDim: number): Images {
  const { channels } = sizeOf(qkv);
  const side = Math.sqrt(w.get(`${name}.0.weight`).shape.at(-1) as number);
  const each = convolve(tape, w, `${name}.0`, qkv, { side, groups: channels });
  return convolveLast(tape, w, `${name}.1`, each, { side: 1, groups: channels / headDim });
}

/** Linear attention of all pixels: [B, H, W, 3C] -> [B, H, W, C]. */
function attend(tape: Tape, qkv: Images, headDim: number): Images {
  const { batch, width, channels } = sizeOf(qkv);
  const tokens = qkv.strips.map((strip) => strip.view(batch, (strip.shape[1] as number) * width, channels));
  const outs =
    tokens.length === 1
      ? [linearAttention(tape, tokens[0] as Tensor, headDim)]
      : linearAttentionOf(tape, tokens, headDim);
  const strips = outs.map((out, i) => out.view(batch, qkv.strips[i]?.shape[1] as number, width, channels / 3));
  return { ...qkv, strips };
}

/** RMS norm over the channels of each pixel, with weight and bias; its input is freed. */
function rmsNormed(tape: Tape, w: Weights, name: string, x: Images): Images {
  const [weight, bias] = [w.get(`${name}.weight`), w.get(`${name}.bias`)];
  return eachStrip(x, (strip) => {
    const y = normModulate(tape, strip, { kind: 'rms', eps: EPS, weight, bias });
    if (!tape.recording) tape.release(strip);
    return y;
  });
}

/** a + b; a is freed. */
function summed(tape: Tape, a: Images, b: Images): Images {
  let top = 0;
  return eachStrip(a, (strip) => {
    const rows = strip.shape[1] as number;
    const y = withRows(tape, b, top, top + rows, (other) => add(tape, strip, other));
    if (!tape.recording) tape.release(strip);
    top += rows;
    return y;
  });
}

/** Gives `made`, after which `from` is not read any more. */
function freed(tape: Tape, from: Images, made: Images): Images {
  freeImages(tape, from);
  return made;
}

/** Squares of 2 x 2 pixels as channels, means of `each` of them: [B, H, W, C] -> [B, H/2, W/2, 4C / each]. */
function unshuffled(tape: Tape, x: Images, each = 1): Images {
  const { batch, width, channels } = sizeOf(x);
  const height = x.height / 2;
  const plan = planStrips(x.most, { height, bytesPerRow: 8 * batch * width * channels, beside: 0, ends: 1 });
  const strips = plan.map(([from, to]) =>
    withRows(tape, x, 2 * from, 2 * to, (rows) => pixelUnshuffle(tape, rows, 2, each)),
  );
  return { ...x, strips, height };
}

/** The other way, each channel being `each` of them: [B, H, W, C] -> [B, 2H, 2W, each C / 4]. */
function shuffled(tape: Tape, x: Images, each = 1): Images {
  const { batch, width, channels } = sizeOf(x);
  const plan = planStrips(x.most, {
    height: x.height,
    bytesPerRow: 4 * batch * width * channels * each,
    beside: 0,
    ends: 1,
  });
  const strips = plan.map(([from, to]) => withRows(tape, x, from, to, (rows) => pixelShuffle(tape, rows, 2, each)));
  return { ...x, strips, height: 2 * x.height };
}

function blockTensors(name: string, { width, block, scale, norm }: DCStage, headDim: number): NetworkTensor[] {
  if (block === 'res')
    return [
      ...convTensors(`${name}.main.conv1.conv`, width, width, 3),
      ...(norm === 'batch'
        ? batchNormedConv(`${name}.main.conv2.conv`, `${name}.main.conv2.norm`, width, width, 3, EPS)
        : [
            ...convTensors(`${name}.main.conv2.conv`, width, width, 3, { bias: false }),
            ...normTensors(`${name}.main.conv2.norm`, width),
          ]),
    ];
  const [context, local] = [`${name}.context_module.main`, `${name}.local_module.main`];
  const [all, wide] = [3 * width, EXPANDED * width];
  return [
    ...convTensors(`${context}.qkv.conv`, all, width, 1, { bias: false }),
    ...(scale
      ? [
          ...convTensors(`${context}.aggreg.0.0`, all, all, scale, { bias: false, groups: all }),
          ...convTensors(`${context}.aggreg.0.1`, all, all, 1, { bias: false, groups: all / headDim }),
        ]
      : []),
    ...convTensors(`${context}.proj.conv`, width, scale ? 2 * width : width, 1, { bias: false }),
    ...normTensors(`${context}.proj.norm`, width),
    // The gates come second in the file, and first where SwiGLU reads them.
    ...swappedHalves(convTensors(`${local}.inverted_conv.conv`, wide, width, 1)),
    ...swappedHalves(convTensors(`${local}.depth_conv.conv`, wide, wide, 3, { groups: wide })),
    ...convTensors(`${local}.point_conv.conv`, width, wide / 2, 1, { bias: false }),
    ...normTensors(`${local}.point_conv.norm`, width),
  ];
}

/** Stages from the picture's size down with what shrinks them, or from the smallest up with what doubles them. A stage without blocks is none. */
function partsOf(side: 'encoder' | 'decoder', stages: readonly DCStage[], resampling: DCSizes['down' | 'up']): Part[] {
  const inner = `main.conv${resampling === 'conv' ? '' : '.conv'}`;
  const last = stages.length - 1;
  const of = (level: number): Part[] => {
    const stage = stages[level] as DCStage;
    if (stage.depth === 0) return [];
    const before = side === 'decoder' && level < last ? 1 : 0; // what doubles stands first
    const at = `${side}.stages.${level}.op_list`;
    const blocks = Array.from(
      { length: stage.depth },
      (_, i): Part => ({ kind: 'block', name: `${at}.${i + before}`, stage }),
    );
    const next = stages[level + 1];
    if (!next) return blocks;
    return side === 'encoder'
      ? [...blocks, { kind: 'down', name: `${at}.${stage.depth}.${inner}`, into: stage.width, out: next.width }]
      : [{ kind: 'up', name: `${at}.0.${inner}`, into: next.width, out: stage.width }, ...blocks];
  };
  const levels = stages.map((_, level) => of(level));
  return (side === 'encoder' ? levels : levels.reverse()).flat();
}

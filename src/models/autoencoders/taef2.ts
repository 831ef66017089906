import { activate } from '../../autograd/ops/activation.ts';
import { channelsFirst, channelsLast } from '../../autograd/ops/channels_last.ts';
import { scale } from '../../autograd/ops/combine.ts';
import { conv2d } from '../../autograd/ops/convolution.ts';
import { groupNorm } from '../../autograd/ops/group_norm.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Weights } from '../../nn/network.ts';
import type { Tensor } from '../../tensor/index.ts';
import type { Architecture, NetworkTensor } from './architecture.ts';
import { convTensors, normTensors } from './tensors.ts';
import { fromUnit, toUnit, unitTensors } from './unit_pictures.ts';

const WIDTH = 64;
const POOLED = 256;
const LATENT = 32;
const POOL_GROUPS = { groups: 4, eps: 1e-5 } as const;
/** Latents are bent to +- this before they are decoded. */
const BEND = 3;

/** A layer of one of the two sequences, by its index there. */
type Layer =
  | { at: number; kind: 'conv'; into: number; out: number; stride?: 2; bias?: false; doubled?: true }
  | { at: number; kind: 'block'; pool?: true };

const blocks = (first: number, last: number, pool?: true): Layer[] =>
  Array.from({ length: last - first + 1 }, (_, i) => ({ at: first + i, kind: 'block', ...(pool && { pool }) }));
const down = (at: number): Layer => ({ at, kind: 'conv', into: WIDTH, out: WIDTH, stride: 2, bias: false });
const up = (at: number): Layer => ({ at, kind: 'conv', into: WIDTH, out: WIDTH, bias: false, doubled: true });

const ENCODER: readonly Layer[] = [
  { at: 0, kind: 'conv', into: 3, out: WIDTH },
  ...blocks(1, 1),
  ...[down(2), ...blocks(3, 5), down(6), ...blocks(7, 9), down(10), ...blocks(11, 13, true)],
  { at: 14, kind: 'conv', into: WIDTH, out: LATENT },
];

/** After the bend (0), the first convolution (1) and its ReLU (2); 6, 11 and 16 are the doublings that 7, 12 and 17 read through. */
const DECODER: readonly Layer[] = [
  ...[...blocks(3, 5, true), up(7), ...blocks(8, 10), up(12), ...blocks(13, 15), up(17), ...blocks(18, 18)],
  { at: 19, kind: 'conv', into: WIDTH, out: 3 },
];

/**
 * taef2, the tiny autoencoder of FLUX.2's latents (github.com/madebyollin/taesd). Its pictures are in 0..1. Names: `encoder.` and
 * `decoder.` before those of its two files.
 */
export const taef2: Architecture = {
  latentChannels: LATENT,
  downscale: 8,
  numbersPerPixel: WIDTH,
  tensors: [
    ...unitTensors,
    ...ENCODER.flatMap((layer) => tensorsOf('encoder', layer)),
    ...convTensors('decoder.1', WIDTH, LATENT, 3),
    ...DECODER.flatMap((layer) => tensorsOf('decoder', layer)),
  ],
  encode(tape, w, pictures) {
    const x = toUnit(tape, w, channelsLast(tape, pictures)); // [B, H, W, 3]
    return channelsFirst(tape, walk(tape, w, 'encoder', ENCODER, x)); // [B, 32, H/8, W/8]
  },
  decode(tape, w, latents) {
    const z = channelsLast(tape, latents); // [B, h, w, 32]
    const bent = scale(tape, activate(tape, scale(tape, z, 1 / BEND), 'tanh'), BEND);
    const x = conv(tape, w, 'decoder.1', bent, { act: 'relu' }); // [B, h, w, 64]
    return channelsFirst(tape, fromUnit(tape, w, walk(tape, w, 'decoder', DECODER, x))); // [B, 3, 8h, 8w]
  },
};

function tensorsOf(part: string, layer: Layer): NetworkTensor[] {
  const name = `${part}.${layer.at}`;
  if (layer.kind === 'conv') return convTensors(name, layer.out, layer.into, 3, { bias: layer.bias ?? true });
  return [
    ...[0, 2, 4].flatMap((i) => convTensors(`${name}.conv.${i}`, WIDTH, WIDTH, 3)),
    ...(layer.pool
      ? [
          ...convTensors(`${name}.pool.0`, POOLED, WIDTH, 1, { bias: false }),
          ...normTensors(`${name}.pool.1`, POOLED),
          ...convTensors(`${name}.pool.3`, WIDTH, POOLED, 1, { bias: false }),
        ]
      : []),
  ];
}

function walk(tape: Tape, w: Weights, part: string, layers: readonly Layer[], given: Tensor): Tensor {
  let x = given; // [B, H, W, C]
  for (const layer of layers) {
    const before = x;
    const name = `${part}.${layer.at}`;
    x =
      layer.kind === 'block'
        ? tape.block([x], () => block(tape, w, name, before, layer.pool ?? false))
        : conv(tape, w, name, x, layer);
    if (!tape.recording) tape.release(before);
  }
  return x;
}

function block(tape: Tape, w: Weights, name: string, given: Tensor, pool: boolean): Tensor {
  let x = given; // [B, H, W, 64]
  if (pool) {
    const wide = conv(tape, w, `${name}.pool.0`, x, { side: 1 }); // [B, H, W, 256]
    const [weight, bias] = [w.get(`${name}.pool.1.weight`), w.get(`${name}.pool.1.bias`)];
    const normed = activate(tape, groupNorm(tape, wide, weight, bias, POOL_GROUPS), 'relu');
    x = conv(tape, w, `${name}.pool.3`, normed, { side: 1, residual: x }); // [B, H, W, 64]
  }
  const first = conv(tape, w, `${name}.conv.0`, x, { act: 'relu' });
  const second = conv(tape, w, `${name}.conv.2`, first, { act: 'relu' });
  return activate(tape, conv(tape, w, `${name}.conv.4`, second, { residual: x }), 'relu'); // [B, H, W, 64]
}

function conv(
  tape: Tape,
  w: Weights,
  name: string,
  x: Tensor,
  o: { side?: number; stride?: number; act?: 'relu'; residual?: Tensor; doubled?: boolean },
): Tensor {
  const { side = 3, stride = 1, act, residual, doubled } = o;
  const bias = w.has(`${name}.bias`) ? w.get(`${name}.bias`) : undefined;
  const padding = [(side - 1) / 2, (side - 1) / 2] as const;
  return conv2d(
    tape,
    x,
    w.get(`${name}.weight`),
    bias,
    { size: [side, side], stride, padding },
    { ...(act && { act }), ...(residual && { residual }), ...(doubled && { doubled }) },
  );
}

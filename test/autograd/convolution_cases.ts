import { scaledSilu } from '../../src/autograd/ops/activation.ts';
import { selfAttention } from '../../src/autograd/ops/attention.ts';
import { channelsFirst, channelsLast } from '../../src/autograd/ops/channels_last.ts';
import { clamp, combine, scale } from '../../src/autograd/ops/combine.ts';
import { conv2d } from '../../src/autograd/ops/convolution.ts';
import { dropout } from '../../src/autograd/ops/dropout.ts';
import { labelMix } from '../../src/autograd/ops/embedding.ts';
import { groupNorm } from '../../src/autograd/ops/group_norm.ts';
import { linearAttention } from '../../src/autograd/ops/linear_attention.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import { pixelShuffle, pixelUnshuffle } from '../../src/autograd/ops/pixel_shuffle.ts';
import { resample } from '../../src/autograd/ops/resample.ts';
import { convWeight } from '../../src/autograd/ops/weight_norm.ts';
import { wideAttention, wideAttentionOf } from '../../src/autograd/ops/wide_attention.ts';
import { get, type OpCase } from './op_case.ts';

const SAME = { size: [3, 3], padding: [1, 1] } as const;

/** Ops of convolutional networks. */
export const CONVOLUTION_CASES: OpCase[] = [
  {
    ops: ['conv2d'],
    name: 'silu after, stride 2',
    shapes: { x: [2, 5, 4, 3], w: [4, 27], b: [4] },
    build: (t, i) =>
      conv2d(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { size: [3, 3], stride: 2, padding: [1, 1] }, { act: 'silu' }),
  },
  {
    ops: ['conv2d'],
    name: 'in groups, a padding of each side',
    shapes: { x: [1, 4, 5, 6], w: [4, 12] },
    build: (t, i) =>
      conv2d(t, get(i, 'x'), get(i, 'w'), undefined, { size: [2, 2], padding: [0, 2, 1, 0] }, { groups: 2 }),
  },
  {
    ops: ['conv2d'],
    name: 'two inputs through silu',
    shapes: { x: [1, 4, 3, 4], x2: [1, 4, 3, 8], w: [5, 108], b: [5] },
    build: (t, i) =>
      conv2d(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), SAME, {
        silu: true,
        beside: { second: get(i, 'x2'), scale: 0.6, scale2: 1.3 },
      }),
  },
  {
    ops: ['conv2d'],
    name: 'doubled, with a residual',
    shapes: { x: [1, 3, 2, 4], w: [5, 36], b: [5], r: [1, 6, 4, 5] },
    build: (t, i) =>
      conv2d(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), SAME, {
        doubled: true,
        scale: 0.7,
        residual: get(i, 'r'),
        residualScale: 0.4,
      }),
  },
  {
    ops: ['conv2d'],
    name: 'the residual is what is convolved',
    shapes: { x: [1, 3, 3, 4], w: [4, 4] },
    build: (t, i) =>
      conv2d(t, get(i, 'x'), get(i, 'w'), undefined, { size: [1, 1] }, { residual: get(i, 'x'), residualScale: 0.5 }),
  },
  {
    ops: ['convWeight'],
    name: 'turned, of three',
    shapes: { w: [6, 4, 3, 3] },
    build: (t, i) => convWeight(t, get(i, 'w'), { interleave: 3 }),
  },
  {
    ops: ['convWeight'],
    name: 'normed, with a gain',
    shapes: { w: [5, 4, 3, 3], gain: [1] },
    build: (t, i) => convWeight(t, get(i, 'w'), { normed: { eps: 1e-4, scale: 2, gain: get(i, 'gain') } }),
  },
  ...(['down', 'up'] as const).flatMap((to) =>
    [
      [1, 1],
      [1, 3, 3, 1],
      [1, 2, 4, 3, 1, 2],
    ].map(
      (filter): OpCase => ({
        ops: ['resample'],
        name: `${to} by ${filter}`,
        shapes: { x: [2, 4, 6, 3] },
        build: (t, i) => resample(t, get(i, 'x'), filter, to),
      }),
    ),
  ),
  {
    ops: ['resample'],
    name: 'down without padding',
    shapes: { x: [1, 6, 8, 3] },
    build: (t, i) => resample(t, get(i, 'x'), [1, 3, 3, 1], 'down', 0),
  },
  ...[false, true].map(
    (silu): OpCase => ({
      ops: ['groupNorm'],
      name: silu ? 'silu' : 'plain',
      shapes: { x: [2, 3, 5, 6], w: [6], b: [6] },
      build: (t, i) => groupNorm(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { groups: 3, eps: 1e-6, silu }),
    }),
  ),
  ...(['rms', 'layer'] as const).map(
    (kind): OpCase => ({
      ops: ['normModulate'],
      name: `${kind}, weight and bias${kind === 'layer' ? ', scale and shift' : ''}`,
      shapes: { x: [2, 3, 8], w: [8], b: [8], ...(kind === 'layer' && { m: [2, 16] }) },
      build: (t, i) =>
        normModulate(t, get(i, 'x'), {
          kind,
          eps: 1e-5,
          weight: get(i, 'w'),
          bias: get(i, 'b'),
          ...(kind === 'layer' && { modulation: { from: get(i, 'm'), rows: 3, scale: 0, shift: 8 } }),
        }),
    }),
  ),
  {
    ops: ['normModulate'],
    name: 'pixel',
    shapes: { x: [2, 3, 8] },
    build: (t, i) => normModulate(t, get(i, 'x'), { kind: 'pixel', eps: 0.1 }),
  },
  {
    ops: ['wideAttention'],
    name: 'few columns',
    shapes: { x: [2, 5, 18] },
    build: (t, i) => wideAttention(t, get(i, 'x')),
  },
  {
    ops: ['wideAttention'],
    name: 'two queries at a time',
    shapes: { x: [2, 5, 18] },
    build: (t, i) => wideAttention(t, get(i, 'x'), { most: 10 }),
  },
  {
    ops: ['wideAttentionOf'],
    name: 'queries, keys and values apart, three queries at a time',
    shapes: { q: [1, 5, 6], k: [1, 5, 6], v: [1, 5, 6] },
    build: (t, i) => wideAttentionOf(t, get(i, 'q'), get(i, 'k'), get(i, 'v'), { most: 15 }),
  },
  {
    ops: ['wideAttention'],
    name: 'a head of 132 columns, as self-attention comes to it',
    shapes: { x: [1, 3, 396] },
    build: (t, i) => selfAttention(t, get(i, 'x'), { heads: 1, norm: 'none', eps: 0, scale: 0.1 }),
  },
  {
    ops: ['linearAttention'],
    name: 'two heads',
    shapes: { x: [2, 5, 18] },
    build: (t, i) => linearAttention(t, get(i, 'x'), 3, 0.1),
  },
  {
    ops: ['pixelUnshuffle'],
    name: 'means of three channels',
    shapes: { x: [2, 4, 6, 3] },
    build: (t, i) => pixelUnshuffle(t, get(i, 'x'), 2, 3),
  },
  {
    ops: ['pixelShuffle'],
    name: 'channels twice',
    shapes: { x: [2, 3, 2, 6] },
    build: (t, i) => pixelShuffle(t, get(i, 'x'), 2, 2),
  },
  {
    ops: ['scaledSilu'],
    name: 'a scale of each sample and channel',
    shapes: { x: [2, 3, 2, 5], s: [2, 5] },
    build: (t, i) => scaledSilu(t, get(i, 'x'), get(i, 's')),
  },
  {
    ops: ['channelsLast'],
    name: 'with a channel of ones',
    shapes: { x: [2, 3, 4, 5] },
    build: (t, i) => channelsLast(t, get(i, 'x'), 1),
  },
  {
    ops: ['channelsFirst'],
    name: 'images',
    shapes: { x: [2, 4, 5, 3] },
    build: (t, i) => channelsFirst(t, get(i, 'x')),
  },
  {
    ops: ['labelMix'],
    name: 'repeated labels and the null one',
    shapes: { e: [4, 5], w: [5, 3] },
    build: (t, i) => labelMix(t, get(i, 'e'), get(i, 'w'), get(i, 'y'), { own: 0.6, scale: 1.4 }),
    fixed: { y: { shape: [4], data: new Uint32Array([1, 3, 1, 0]) } },
  },
  {
    ops: ['dropout'],
    name: 'one mask in every pass',
    shapes: { x: [3, 2, 7] },
    build: (t, i) => dropout(t, get(i, 'x'), 0.4, { key: get(i, 'key'), layer: 3, firstSample: 5 }),
    fixed: { key: { shape: [4], data: new Uint32Array([1, 6, 2, 0]) } },
  },
  {
    ops: ['combine'],
    name: 'two tensors',
    shapes: { a: [3, 5], b: [3, 5] },
    build: (t, i) => combine(t, get(i, 'a'), get(i, 'b'), 0.7, 1),
  },
  {
    ops: ['scale'],
    name: 'by a number',
    shapes: { a: [3, 5] },
    build: (t, i) => scale(t, get(i, 'a'), -0.7),
  },
  {
    ops: ['clamp'],
    name: 'between the numbers',
    shapes: { a: [3, 5] },
    build: (t, i) => clamp(t, get(i, 'a'), 0.9),
  },
];

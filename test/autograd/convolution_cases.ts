import { clamp, combine } from '../../src/autograd/ops/combine.ts';
import { conv2d } from '../../src/autograd/ops/convolution.ts';
import { resample } from '../../src/autograd/ops/resample.ts';
import { convWeight } from '../../src/autograd/ops/weight_norm.ts';
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
    ops: ['combine'],
    name: 'two tensors',
    shapes: { a: [3, 5], b: [3, 5] },
    build: (t, i) => combine(t, get(i, 'a'), get(i, 'b'), 0.7, 1),
  },
  {
    ops: ['clamp'],
    name: 'between the numbers',
    shapes: { a: [3, 5] },
    build: (t, i) => clamp(t, get(i, 'a'), 0.9),
  },
];

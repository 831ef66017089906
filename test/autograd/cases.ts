import { activate, swiglu } from '../../src/autograd/ops/activation.ts';
import { attention, selfAttention } from '../../src/autograd/ops/attention.ts';
import { concat } from '../../src/autograd/ops/concat.ts';
import { pool2d, unfold } from '../../src/autograd/ops/convolution.ts';
import { embedding } from '../../src/autograd/ops/embedding.ts';
import { linear, linearGatedResidual, linearSwiglu } from '../../src/autograd/ops/linear.ts';
import { squaredError } from '../../src/autograd/ops/loss.ts';
import { matmul } from '../../src/autograd/ops/matmul.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import { patchify, unpatchify } from '../../src/autograd/ops/patch.ts';
import { add, addPerSample, gatedResidual } from '../../src/autograd/ops/residual.ts';
import { crossEntropy, logSoftmax, softmax } from '../../src/autograd/ops/softmax.ts';
import { stackRows } from '../../src/autograd/ops/stack.ts';
import type { Tape } from '../../src/autograd/tape.ts';
import { CONVOLUTION_CASES } from './convolution_cases.ts';
import { chunk, get, type Inputs, type OpCase, table } from './op_case.ts';

/** Every op, with what it may be fused with. */
export const CASES: OpCase[] = [
  ...CONVOLUTION_CASES,
  {
    ops: ['linear'],
    name: 'bias',
    shapes: { x: [2, 3, 5], w: [7, 5], b: [7] },
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
  },
  {
    ops: ['linear'],
    name: 'gelu',
    shapes: { x: [3, 5], w: [4, 5], b: [4] },
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { act: 'gelu' }),
  },
  ...(['gelu-erf', 'sigmoid'] as const).map((act) => ({
    ops: ['linear'],
    name: act,
    shapes: { x: [3, 5], w: [4, 5], b: [4] },
    build: (t: Tape, i: Inputs) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { act }),
  })),
  {
    ops: ['linear'],
    name: 'silu, no bias',
    shapes: { x: [3, 5], w: [4, 5] },
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), undefined, { act: 'silu' }),
  },
  {
    ops: ['linear'],
    name: 'table',
    shapes: { x: [2, 3, 5], w: [4, 5], b: [4] },
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { table: get(i, 'p') }),
    fixed: { p: table(3, 4) },
  },
  ...(
    [
      ['matrices', [3, 5], [5, 4]],
      ['a batch', [2, 3, 5], [2, 5, 4]],
      ['one matrix for a batch', [2, 3, 5], [5, 4]],
      ['one matrix on the left', [3, 5], [4, 5, 2]],
      ['a batch of rows by a batch of columns', [2, 1, 3, 5], [1, 3, 5, 4]],
      ['groups', [2, 4, 3, 5], [2, 1, 5, 4]],
      ['axes in the middle', [2, 3, 2, 2, 5], [3, 1, 5, 3]],
    ] as const
  ).map(
    ([name, a, b]): OpCase => ({
      ops: ['matmul'],
      name,
      shapes: { a, b },
      build: (t, i) => matmul(t, get(i, 'a'), get(i, 'b')),
    }),
  ),
  {
    ops: ['linearGatedResidual'],
    name: 'gate per sample',
    shapes: { x: [2, 3, 5], w: [4, 5], b: [4], r: [2, 3, 4], m: [2, 11] },
    build: (t, i) => linearGatedResidual(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), get(i, 'r'), chunk(i, 6, 3)),
  },
  {
    ops: ['linearSwiglu'],
    name: 'an odd half, bias',
    shapes: { x: [2, 3, 5], w: [14, 5], b: [14] },
    build: (t, i) => linearSwiglu(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
  },
  {
    ops: ['linearSwiglu'],
    name: 'a half of more than a tile',
    shapes: { x: [3, 4], w: [72, 4] },
    build: (t, i) => linearSwiglu(t, get(i, 'x'), get(i, 'w')),
  },
  {
    ops: ['normModulate'],
    name: 'layer, scale and shift',
    shapes: { x: [2, 3, 8], m: [2, 20] },
    build: (t, i) =>
      normModulate(t, get(i, 'x'), {
        kind: 'layer',
        eps: 1e-6,
        modulation: { from: get(i, 'm'), rows: 3, shift: 1, scale: 10 },
      }),
  },
  {
    ops: ['normModulate'],
    name: 'rms, weight, scale per token',
    shapes: { x: [2, 3, 8], w: [8], m: [6, 9] },
    build: (t, i) =>
      normModulate(t, get(i, 'x'), {
        kind: 'rms',
        eps: 1e-6,
        weight: get(i, 'w'),
        modulation: { from: get(i, 'm'), rows: 1, scale: 1 },
      }),
  },
  ...(['gelu', 'gelu-erf', 'silu', 'sigmoid', 'tanh', 'erf'] as const).map((act) => ({
    ops: [act],
    name: act,
    shapes: { x: [3, 7] },
    build: (t: Tape, i: Inputs) => activate(t, get(i, 'x'), act),
  })),
  {
    ops: ['concat'],
    name: 'three parts',
    shapes: { a: [2, 3, 4], b: [2, 3, 1], c: [2, 3, 5] },
    build: (t, i) => concat(t, [get(i, 'a'), get(i, 'b'), get(i, 'c')]),
  },
  {
    ops: ['unfold'],
    name: 'windows by twos',
    shapes: { x: [2, 5, 4, 3] },
    build: (t, i) => unfold(t, get(i, 'x'), { size: [3, 3], stride: 2, padding: [1, 1] }),
  },
  ...(['max', 'mean'] as const).map((kind) => ({
    ops: ['pool2d'],
    name: kind,
    shapes: { x: [1, 5, 4, 3] },
    build: (t: Tape, i: Inputs) => pool2d(t, get(i, 'x'), kind, { size: [3, 2], stride: 2, padding: [1, 0] }),
  })),
  { ops: ['swiglu'], name: 'swiglu', shapes: { x: [3, 14] }, build: (t, i) => swiglu(t, get(i, 'x')) },
  { ops: ['add'], name: 'twice the same', shapes: { a: [3, 5] }, build: (t, i) => add(t, get(i, 'a'), get(i, 'a')) },
  {
    ops: ['gatedResidual'],
    name: 'one tensor as h and as gate',
    shapes: { x: [5, 3], m: [5, 3] },
    build: (t, i) => gatedResidual(t, get(i, 'x'), get(i, 'm'), chunk(i, 0, 1)),
  },
  {
    ops: ['gatedResidual'],
    name: 'gate per sample',
    shapes: { x: [4, 5], h: [4, 5], m: [2, 7] },
    build: (t, i) => gatedResidual(t, get(i, 'x'), get(i, 'h'), chunk(i, 2, 2)),
  },
  {
    ops: ['addPerSample'],
    name: 'a row a sample',
    shapes: { x: [2, 3, 5], row: [2, 5] },
    build: (t, i) => addPerSample(t, get(i, 'x'), get(i, 'row')),
  },
  {
    ops: ['stackRows'],
    name: 'two matrices',
    shapes: { a: [2, 8], b: [3, 8] },
    build: (t, i) => stackRows(t, [get(i, 'a'), get(i, 'b')]),
  },
  {
    ops: ['selfAttention'],
    name: 'plain',
    shapes: { x: [2, 5, 18] },
    build: (t, i) => selfAttention(t, get(i, 'x'), { heads: 2, norm: 'none', eps: 1e-6 }),
  },
  {
    ops: ['selfAttention'],
    name: 'rms and rope',
    shapes: { x: [1, 4, 24] },
    build: (t, i) => selfAttention(t, get(i, 'x'), { heads: 2, norm: 'rms', eps: 1e-6, rope: get(i, 'rope') }),
    fixed: { rope: table(2, 4, 4) },
  },
  {
    ops: ['selfAttention'],
    // Rotated: without positions a bias of k adds the same to every score of a query, and its gradient is 0.
    name: 'layer norm with weight and bias, and rope',
    shapes: { x: [1, 3, 24], qw: [4], kw: [4], qb: [4], kb: [4] },
    fixed: { rope: table(2, 3, 4) },
    build: (t, i) =>
      selfAttention(t, get(i, 'x'), {
        heads: 2,
        norm: 'layer',
        eps: 1e-5,
        rope: get(i, 'rope'),
        affine: { qWeight: get(i, 'qw'), kWeight: get(i, 'kw'), qBias: get(i, 'qb'), kBias: get(i, 'kb') },
      }),
  },
  {
    ops: ['selfAttention'],
    name: 'causal, with a bias of each head',
    shapes: { x: [2, 5, 12], bias: [1, 2, 5, 5] },
    build: (t, i) =>
      selfAttention(t, get(i, 'x'), { heads: 2, norm: 'none', eps: 0, causal: 'start', bias: get(i, 'bias') }),
  },
  {
    ops: ['attention'],
    name: 'of other keys, with heads that share them and values of another size',
    shapes: { q: [2, 4, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3] },
    build: (t, i) => attention(t, get(i, 'q'), get(i, 'k'), get(i, 'v'), { scale: 0.7 }),
  },
  {
    ops: ['attention'],
    name: 'causal, with valid keys, a bias and a soft cap',
    shapes: { q: [2, 2, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 4], bias: [2, 1, 3, 5] },
    fixed: { lengths: { shape: [2], data: new Uint32Array([5, 3]) } },
    build: (t, i) =>
      attention(t, get(i, 'q'), get(i, 'k'), get(i, 'v'), {
        ...{ causal: 'end', offset: 1, lengths: get(i, 'lengths'), bias: get(i, 'bias'), softcap: 1.5 },
      }),
  },
  {
    ops: ['attention'],
    name: 'with a boolean mask, under which a query sees no key',
    shapes: { q: [1, 2, 3, 4], k: [1, 2, 5, 4], v: [1, 2, 5, 4] },
    fixed: { mask: { shape: [1, 1, 3, 5], data: new Uint32Array([1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 1]) } },
    build: (t, i) => attention(t, get(i, 'q'), get(i, 'k'), get(i, 'v'), { mask: get(i, 'mask') }),
  },
  {
    ops: ['embedding'],
    name: 'repeated rows',
    shapes: { table: [5, 3] },
    build: (t, i) => embedding(t, get(i, 'table'), get(i, 'index')),
    fixed: { index: { shape: [4], data: new Uint32Array([1, 4, 1, 0]) } },
  },
  ...[1, -0.7].flatMap((scale): OpCase[] => [
    {
      ops: ['softmax'],
      name: `scale ${scale}`,
      shapes: { x: [2, 3, 7] },
      build: (t, i) => softmax(t, get(i, 'x'), { scale }),
    },
    {
      ops: ['logSoftmax'],
      name: `scale ${scale}`,
      shapes: { x: [2, 3, 7] },
      build: (t, i) => logSoftmax(t, get(i, 'x'), { scale }),
    },
  ]),
  ...[{}, { smoothing: 0.2 }, { smoothing: 0.2, ignoreIndex: 4 }].map(
    (how): OpCase => ({
      ops: ['crossEntropy'],
      name: `labels ${JSON.stringify(how)}`,
      shapes: { x: [4, 5] },
      build: (t, i) => crossEntropy(t, get(i, 'x'), { labels: get(i, 'labels') }, how),
      fixed: { labels: { shape: [4], data: new Uint32Array([1, 4, 1, 0]) } },
    }),
  ),
  {
    ops: ['crossEntropy'],
    name: 'smoothed targets',
    shapes: { x: [4, 5] },
    build: (t, i) => crossEntropy(t, get(i, 'x'), { targets: get(i, 'targets') }, { smoothing: 0.3 }),
    fixed: { targets: table(4, 5) },
  },
  {
    ops: ['squaredError'],
    name: 'of each sample',
    shapes: { x: [3, 2, 5] },
    build: (t, i) => squaredError(t, get(i, 'x'), get(i, 'target')),
    fixed: { target: table(3, 2, 5) },
  },
  { ops: ['patchify'], name: 'chw', shapes: { x: [2, 3, 4, 6] }, build: (t, i) => patchify(t, get(i, 'x'), 2, 'chw') },
  {
    ops: ['unpatchify'],
    name: 'hwc',
    shapes: { x: [2, 6, 12] },
    build: (t, i) => unpatchify(t, get(i, 'x'), [3, 4, 6], 2, 'hwc'),
  },
  {
    ops: ['unpatchify'],
    name: 'hwc, first channels kept',
    shapes: { x: [2, 6, 16] },
    build: (t, i) => unpatchify(t, get(i, 'x'), [4, 4, 6], 2, 'hwc', 2),
  },
];

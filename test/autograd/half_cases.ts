import { activate, swiglu } from '../../src/autograd/ops/activation.ts';
import { attention, selfAttention } from '../../src/autograd/ops/attention.ts';
import { cast } from '../../src/autograd/ops/cast.ts';
import { linear, linearGatedResidual, linearSwiglu } from '../../src/autograd/ops/linear.ts';
import { normModulate } from '../../src/autograd/ops/norm.ts';
import { add, addPerSample, gatedResidual } from '../../src/autograd/ops/residual.ts';
import { chunk, get, type OpCase, table } from './op_case.ts';

/** An op with a form in f16: `halves` are the inputs that are stored so. */
export interface HalfCase extends OpCase {
  readonly halves: readonly string[];
  /** Roundings that its error may come to; 2 if left out. */
  readonly roundings?: number;
}

const matrices = { x: [2, 40, 24], w: [12, 24], b: [12] };

/** Every op that a network in mixed precision is made of. */
export const HALF_CASES: HalfCase[] = [
  {
    ops: ['cast'],
    name: 'to f32 and back',
    shapes: { x: [3, 7] },
    halves: ['x'],
    build: (t, i) => cast(t, cast(t, get(i, 'x'), 'f32'), t.dtype),
  },
  {
    ops: ['linear'],
    name: 'bias',
    shapes: matrices,
    halves: ['x'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
  },
  {
    ops: ['linear'],
    name: 'a weight of f16',
    shapes: matrices,
    halves: ['x', 'w'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
  },
  {
    ops: ['linear'],
    name: 'gelu',
    shapes: matrices,
    halves: ['x'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { act: 'gelu' }),
  },
  {
    ops: ['linear'],
    name: 'f32 from f16, odd sizes',
    shapes: { x: [3, 5], w: [7, 5] },
    halves: ['x'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), undefined, { dtype: 'f32' }),
  },
  {
    ops: ['linear'],
    name: 'f16 from f32, with a table',
    shapes: { x: [2, 3, 5], w: [4, 5], b: [4] },
    halves: [],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), { table: get(i, 'p'), dtype: t.dtype }),
    fixed: { p: table(3, 4) },
  },
  {
    ops: ['linearSwiglu'],
    name: 'bias',
    shapes: { x: [3, 24], w: [16, 24], b: [16] },
    halves: ['x'],
    build: (t, i) => linearSwiglu(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
  },
  {
    ops: ['linearGatedResidual'],
    name: 'gate per sample',
    shapes: { x: [2, 3, 24], w: [12, 24], b: [12], r: [2, 3, 12], m: [2, 30] },
    halves: ['x', 'r'],
    build: (t, i) => linearGatedResidual(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), get(i, 'r'), chunk(i, 7, 3)),
  },
  ...(['layer', 'rms'] as const).map(
    (kind): HalfCase => ({
      ops: ['normModulate'],
      name: `${kind}, weight, scale and shift`,
      shapes: { x: [2, 3, 16], w: [16], m: [2, 40] },
      halves: ['x'],
      build: (t, i) =>
        normModulate(t, get(i, 'x'), {
          kind,
          eps: 1e-6,
          weight: get(i, 'w'),
          modulation: { from: get(i, 'm'), rows: 3, shift: 1, scale: 20 },
        }),
    }),
  ),
  ...(['gelu', 'silu', 'tanh'] as const).map(
    (act): HalfCase => ({
      ops: [act],
      name: act,
      shapes: { x: [3, 7] },
      halves: ['x'],
      build: (t, i) => activate(t, get(i, 'x'), act),
    }),
  ),
  {
    ops: ['swiglu'],
    name: 'swiglu',
    shapes: { x: [3, 16] },
    halves: ['x'],
    build: (t, i) => swiglu(t, get(i, 'x')),
  },
  {
    ops: ['add'],
    name: 'twice the same, so that its gradients are added up',
    shapes: { a: [3, 5] },
    halves: ['a'],
    build: (t, i) => add(t, get(i, 'a'), get(i, 'a')),
  },
  {
    ops: ['gatedResidual'],
    name: 'gate per sample',
    shapes: { x: [4, 5], h: [4, 5], m: [2, 7] },
    halves: ['x', 'h'],
    build: (t, i) => gatedResidual(t, get(i, 'x'), get(i, 'h'), chunk(i, 2, 2)),
  },
  {
    ops: ['addPerSample'],
    name: 'a row a sample',
    shapes: { x: [2, 3, 5], row: [2, 5] },
    halves: ['x'],
    build: (t, i) => addPerSample(t, get(i, 'x'), get(i, 'row')),
  },
  {
    ops: ['selfAttention'],
    name: 'layer norm with weight and bias, and rope',
    shapes: { x: [2, 9, 24], qw: [4], kw: [4], qb: [4], kb: [4] },
    fixed: { rope: table(2, 9, 4) },
    roundings: 6, // of q, k, v, the result, dq and dk, and a norm of four numbers makes them larger
    halves: ['x'],
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
    name: 'one head wider than its tiles',
    shapes: { x: [2, 5, 3 * 132] },
    halves: ['x'],
    build: (t, i) => selfAttention(t, get(i, 'x'), { heads: 1, norm: 'none', eps: 0 }),
  },
  {
    ops: ['attention'],
    name: 'of other keys, causal',
    shapes: { q: [2, 4, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 4] },
    halves: ['q', 'k', 'v'],
    build: (t, i) => attention(t, get(i, 'q'), get(i, 'k'), get(i, 'v'), { causal: 'end' }),
  },
];

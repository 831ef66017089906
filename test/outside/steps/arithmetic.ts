import { activate } from '../../../src/autograd/ops/activation.ts';
import { linear } from '../../../src/autograd/ops/linear.ts';
import { crossEntropy, logSoftmax, softmax } from '../../../src/autograd/ops/softmax.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { axisOf, need } from '../case.ts';
import { matmul, normRows } from '../products.ts';
import { add, broadcast, combine, expand, filled, mul, pad, permute, reduce, scale, slice } from '../tensors.ts';
import { at, bare, read, type StepContext, type Steps } from './step.ts';

/** a + factor b, broadcast. */
function sum(s: StepContext, factor: number): Tensor {
  read(s, { broadcast: true });
  const [a, b] = [at(s, 0), at(s, 1)];
  if (factor === 1) return add(s.tape, a, b);
  const shape = broadcast(a.shape, b.shape);
  return combine(s.tape, [
    [expand(s.tape, a, shape), 1],
    [expand(s.tape, b, shape), factor],
  ]);
}

function plus(s: StepContext, sign: number): Tensor {
  const { value } = read(s, { value: 0 });
  const a = at(s, 0);
  return combine(s.tape, [
    [a, 1],
    [filled(s.tape, a.shape, 1), sign * value],
  ]);
}

function reduced(s: StepContext, kind: 'sum' | 'mean'): Tensor {
  const x = at(s, 0);
  const { axis, keepdims } = read(s, { axis: Number.NaN, keepdims: false });
  const axes = Number.isNaN(axis) ? x.shape.map((_, i) => i) : [axisOf(axis, x.shape.length)];
  const y = reduce(s.tape, x, axes, kind);
  return keepdims ? y : y.view(...x.shape.filter((_, i) => !axes.includes(i)));
}

/** Norm over the last axis; a bias is added after it. */
function normed(s: StepContext, kind: 'layer' | 'rms'): Tensor {
  const { eps } = read(s, { eps: 1e-5 });
  const x = at(s, 0);
  const cols = x.shape.at(-1) as number;
  const y = normRows(s.tape, x.view(x.count / cols, cols), { kind, eps, weight: s.inputs[1] }).view(...x.shape);
  const bias = s.inputs[2];
  return bias ? add(s.tape, y, bias) : y;
}

function alongLast(s: StepContext, op: typeof softmax): Tensor {
  const x = at(s, 0);
  const axis = axisOf(read(s, { axis: -1 }).axis, x.shape.length);
  need(axis === x.shape.length - 1, 'softmax over another axis than the last');
  return op(s.tape, x);
}

export const arithmetic: Steps = {
  add: (s) => sum(s, 1),
  sub: (s) => sum(s, -1),
  mul: (s) => mul(s.tape, at(bare(s, { broadcast: true }), 0), at(s, 1)),
  neg: (s) => scale(s.tape, at(bare(s), 0), -1),
  add_scalar: (s) => plus(s, 1),
  sub_scalar: (s) => plus(s, -1),
  mul_scalar: (s) => scale(s.tape, at(s, 0), read(s, { value: 0 }).value),
  sum: (s) => reduced(s, 'sum'),
  mean: (s) => reduced(s, 'mean'),
  relu: (s) => activate(s.tape, at(bare(s), 0), 'relu'),
  silu: (s) => activate(s.tape, at(bare(s), 0), 'silu'),
  gelu: (s) => {
    const { approximate } = read(s, { approximate: 'none' });
    need(approximate === 'tanh' || approximate === 'none', `GELU in the form ${approximate}`);
    return activate(s.tape, at(s, 0), approximate === 'tanh' ? 'gelu' : 'gelu-erf');
  },
  sigmoid: (s) => activate(s.tape, at(bare(s), 0), 'sigmoid'),
  tanh: (s) => activate(s.tape, at(bare(s), 0), 'tanh'),
  erf: (s) => activate(s.tape, at(bare(s), 0), 'erf'),
  matmul: (s) => matmul(s.tape, at(bare(s), 0), at(s, 1)),
  linear: (s) => {
    const { weight } = read(s, { weight: '[in, out]' });
    need(weight === '[in, out]' || weight === '[out, in]', `a weight ${weight}`);
    const w = weight === '[in, out]' ? permute(s.tape, at(s, 1), [1, 0]) : at(s, 1);
    return linear(s.tape, at(s, 0), w, s.inputs[2]);
  },
  layer_norm: (s) => normed(s, 'layer'),
  rms_norm: (s) => normed(s, 'rms'),
  group_norm: (s) => {
    const { groups, eps } = read(s, { groups: 1, eps: 1e-5 });
    const x = at(s, 0);
    const [batch, channels] = x.shape as [number, number];
    need(channels % groups === 0, `${groups} groups of ${channels} channels`);
    const rows = x.view(batch * groups, x.count / batch / groups);
    const y = normRows(s.tape, rows, { kind: 'layer', eps }).view(...x.shape);
    const each = (t: Tensor) => t.view(channels, ...x.shape.slice(2).map(() => 1));
    const [, weight, bias] = s.inputs;
    const scaled = weight ? mul(s.tape, y, each(weight)) : y;
    return bias ? add(s.tape, scaled, each(bias)) : scaled;
  },
  softmax: (s) => alongLast(s, softmax),
  log_softmax: (s) => alongLast(s, logSoftmax),
  cross_entropy: (s) => {
    const { targets, reduction } = read(s, { targets: '', reduction: '' });
    need(targets === 'probabilities' && reduction === 'mean over rows', `cross entropy of ${targets}, ${reduction}`);
    return reduce(s.tape, crossEntropy(s.tape, at(s, 0), { targets: at(s, 1) }), [0], 'mean');
  },
  // log(e^x / (e^x + e^0)): the first of two log softmaxes.
  log_sigmoid: (s) => {
    const x = at(bare(s), 0);
    const pairs = logSoftmax(s.tape, pad(s.tape, x.view(x.count, 1), 1, 0, 1));
    return slice(s.tape, pairs, 1, 0, 1).view(...x.shape);
  },
};

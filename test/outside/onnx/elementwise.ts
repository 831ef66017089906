import { activate, swiglu } from '../../../src/autograd/ops/activation.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { need, product } from '../case.ts';
import { add, broadcast, combine, concat, expand, mul, reduce, scale } from '../tensors.ts';
import type { Adapters, Context } from './context.ts';

/** All inputs times one factor, added. */
function sumOf(c: Context, factor: number): Tensor {
  c.attributes({});
  const inputs = c.all();
  const shape = broadcast(...inputs.map((x) => x.shape));
  return combine(
    c.tape,
    inputs.map((x) => [expand(c.tape, x, shape), factor] as const),
  );
}

function reduced(c: Context, kind: 'sum' | 'mean'): Tensor {
  const {
    keepdims,
    noop_with_empty_axes: noop,
    axes: given,
  } = c.attributes({
    keepdims: 1,
    noop_with_empty_axes: 0,
    axes: [] as readonly number[],
  });
  const x = c.input(0);
  const rank = x.shape.length;
  let axes = c.integers(1, given).map((axis) => (axis < 0 ? axis + rank : axis));
  if (axes.length === 0) {
    if (noop) return scale(c.tape, x, 1);
    axes = x.shape.map((_, i) => i);
  }
  need(
    axes.every((axis) => axis >= 0 && axis < rank),
    `axes ${axes} of ${rank}`,
  );
  need(kind === 'sum' || product(axes.map((axis) => x.shape[axis] as number)) > 0, 'the mean of nothing');
  const y = reduce(c.tape, x, axes, kind);
  return keepdims ? y : y.view(...x.shape.filter((_, i) => !axes.includes(i)));
}

export const elementwise: Adapters = {
  Add: (c) => [add(c.tape, c.bare().input(0), c.input(1))],
  Sub: (c) => {
    c.attributes({});
    const [a, b] = [c.input(0), c.input(1)];
    const shape = broadcast(a.shape, b.shape);
    return [
      combine(c.tape, [
        [expand(c.tape, a, shape), 1],
        [expand(c.tape, b, shape), -1],
      ]),
    ];
  },
  Mul: (c) => [mul(c.tape, c.bare().input(0), c.input(1))],
  Sum: (c) => [sumOf(c, 1)],
  Mean: (c) => [sumOf(c, 1 / c.case.inputs.length)],
  ReduceSum: (c) => [reduced(c, 'sum')],
  ReduceMean: (c) => [reduced(c, 'mean')],
  Relu: (c) => [activate(c.tape, c.bare().input(0), 'relu')],
  Gelu: (c) => {
    const { approximate } = c.attributes({ approximate: 'none' });
    need(approximate === 'tanh' || approximate === 'none', `GELU in the form ${approximate}`);
    return [activate(c.tape, c.input(0), approximate === 'tanh' ? 'gelu' : 'gelu-erf')];
  },
  Sigmoid: (c) => [activate(c.tape, c.bare().input(0), 'sigmoid')],
  Tanh: (c) => [activate(c.tape, c.bare().input(0), 'tanh')],
  Erf: (c) => [activate(c.tape, c.bare().input(0), 'erf')],
  // x sigmoid(alpha x) = silu(alpha x) / alpha
  Swish: (c) => {
    const { alpha } = c.attributes({ alpha: 1 });
    need(alpha !== 0, 'Swish with alpha 0');
    const x = c.input(0);
    if (alpha === 1) return [activate(c.tape, x, 'silu')];
    return [scale(c.tape, activate(c.tape, scale(c.tape, x, alpha), 'silu'), 1 / alpha)];
  },
  SwiGLU: (c) => {
    c.attributes({});
    const [a, b] = [c.input(0), c.input(1)];
    return [swiglu(c.tape, concat(c.tape, [a, b], a.shape.length - 1))];
  },
};

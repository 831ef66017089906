import { unfold as unfoldOp } from '../../../src/autograd/ops/convolution.ts';
import { qkNormRope } from '../../../src/kernels/qk_norm_rope.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { axisOf, need } from '../case.ts';
import { concat, expand, permute, slice, take, tensor } from '../tensors.ts';
import { at, read, type StepContext, type Steps } from './step.ts';

const NONE: readonly number[] = [];

function gathered(s: StepContext): Tensor {
  const { axis: given, batch_dims } = read(s, { axis: 0, batch_dims: 0 });
  need(batch_dims === 0, 'gather with batch axes');
  const x = at(s, 0);
  const axis = axisOf(given, x.shape.length);
  const index = s.numbers[1];
  need(index !== undefined, 'indices that a step computes');
  const size = x.shape[axis] as number;
  const y = take(
    s.tape,
    x,
    axis,
    index.data.map((i) => (i < 0 ? i + size : i)),
  );
  return y.view(...x.shape.slice(0, axis), ...index.shape, ...x.shape.slice(axis + 1));
}

function sliced(s: StepContext): Tensor {
  const { starts, ends, steps } = read(s, { starts: NONE, ends: NONE, steps: NONE });
  let x = at(s, 0);
  starts.forEach((start, axis) => {
    const [end, step] = [ends[axis] as number, steps[axis] ?? 1];
    const size = x.shape[axis] as number;
    need(step >= 1 && start >= 0 && end > start && end <= size, `slice ${start}:${end}:${step} of ${size}`);
    const index = Array.from({ length: Math.ceil((end - start) / step) }, (_, i) => start + i * step);
    x = step === 1 ? slice(s.tape, x, axis, start, index.length) : take(s.tape, x, axis, index);
  });
  return x;
}

/** Rotary positions of [heads, n, head_dim]: neighbouring pairs, position 0 first. */
function rope(s: StepContext): Tensor {
  const o = read(s, { pairs: 'adjacent', theta: 10000, layout: '[heads, n, head_dim]' });
  need(o.pairs === 'adjacent', 'pairs (i, i + half): rotate-half layout');
  need(o.layout === '[heads, n, head_dim]', `layout ${o.layout}`);
  const x = at(s, 0);
  const [heads, n, dim] = x.shape as [number, number, number];
  const angles = Array.from({ length: n * dim }, (_, i) => {
    const [token, pair] = [Math.floor(i / dim), Math.floor((i % dim) / 2)];
    return token * o.theta ** ((-2 * pair) / dim);
  });
  const table = tensor(s.tape, [2, n, dim], [...angles.map(Math.cos), ...angles.map(Math.sin)]);
  const row = permute(s.tape, x, [1, 0, 2]).view(n, heads * dim);
  const qkv = concat(s.tape, [row, row, row], 1);
  need(!s.tape.recording, 'the gradient of rotary positions on their own');
  const [q, k, v] = [0, 1, 2].map(() => s.tape.alloc(1, heads, n, dim)) as [Tensor, Tensor, Tensor];
  const kernel = qkNormRope.prepare(s.tape.workspace.device, { norm: 'none', rope: true });
  s.tape.run(kernel, { qkv, rope: table, q, k, v }, { batch: 1, n, heads, head_dim: dim, eps: 0 });
  return q.view(heads, n, dim);
}

export const shape: Steps = {
  concat: (s) => concat(s.tape, s.inputs, axisOf(read(s, { axis: 0 }).axis, at(s, 0).shape.length)),
  reshape: (s) => at(s, 0).view(...read(s, { shape: NONE }).shape),
  expand: (s) => expand(s.tape, at(s, 0), read(s, { shape: NONE }).shape),
  transpose: (s) =>
    permute(
      s.tape,
      at(s, 0),
      read(s, {
        perm: at(s, 0)
          .shape.map((_, i) => i)
          .reverse(),
      }).perm,
    ),
  gather: gathered,
  slice: sliced,
  rope,
  // Windows [.., count, size] of an axis, its neighbours shared.
  unfold: (s) => {
    const { axis: given, size, step } = read(s, { axis: 0, size: 1, step: 1 });
    const x = at(s, 0);
    const axis = axisOf(given, x.shape.length);
    need(axis === x.shape.length - 1, 'unfold of another axis than the last');
    const length = x.shape[axis] as number;
    const rows = unfoldOp(s.tape, x.view(x.count / length, length, 1, 1), { size: [size, 1], stride: step });
    return rows.view(...x.shape.slice(0, -1), rows.shape[1] as number, size);
  },
};

import { logSoftmax, softmax } from '../../../src/autograd/ops/softmax.ts';
import { axisOf, need, product } from '../case.ts';
import { batched, matmul, normRows, normWithStats } from '../products.ts';
import { add, expand, mul, permute, scale, slice } from '../tensors.ts';
import type { Adapters, Context } from './context.ts';

function gemm(c: Context) {
  const { alpha, beta, transA, transB } = c.attributes({ alpha: 1, beta: 1, transA: 0, transB: 0 });
  const t = c.tape;
  let [a, b] = [c.input(0), c.input(1)];
  if (transA && transB) a = permute(t, a, [1, 0]);
  const layout = transB ? 'nt' : transA ? 'tn' : 'nn';
  const [a0, a1] = a.shape as [number, number];
  const m = layout === 'tn' ? a1 : a0;
  const n = (transB ? b.shape[0] : b.shape[1]) as number;
  a = a.view(1, ...a.shape);
  b = b.view(1, ...b.shape);
  const addend = c.optional(2);
  // The epilogue adds one row, or a whole matrix, as it is.
  if (addend && alpha === 1 && beta === 1 && addend.count === n && addend.shape.at(-1) === n)
    return batched(t, layout, a, b, { bias: addend }).view(m, n);
  if (addend && alpha === 1 && beta === 1 && addend.count === m * n)
    return batched(t, layout, a, b, { residual: addend }).view(m, n);
  const y = batched(t, layout, a, b).view(m, n);
  const scaled = alpha === 1 ? y : scale(t, y, alpha);
  if (!addend) return scaled;
  return add(t, scaled, expand(t, beta === 1 ? addend : scale(t, addend, beta), [m, n]));
}

/** LayerNormalization and RMSNormalization: over the axes from `axis` on. */
function normed(c: Context, kind: 'layer' | 'rms') {
  const { axis, epsilon } = c.attributes({ axis: -1, epsilon: 1e-5, stash_type: 1 });
  const x = c.input(0);
  const first = axisOf(axis, x.shape.length);
  const cols = product(x.shape.slice(first));
  const rows = x.count / cols;
  const [weight, bias] = [c.optional(1), kind === 'layer' ? c.optional(2) : undefined].map(
    (t) => t && expand(c.tape, t, x.shape.slice(first)).view(cols),
  );
  const { y, stats } = normWithStats(c.tape, x.view(rows, cols), { kind, eps: epsilon, weight, bias });
  const columns = permute(c.tape, stats, [1, 0]);
  const shape = x.shape.map((s, i) => (i < first ? s : 1));
  const each = [0, 1].map((i) => rowOf(c, columns, i).view(...shape));
  return [y.view(...x.shape), ...(kind === 'layer' ? each : [])];
}

const rowOf = (c: Context, columns: ReturnType<Context['input']>, i: number) => slice(c.tape, columns, 0, i, 1);

/** Normalised groups of channels, then a scale and a bias a channel. */
function grouped(c: Context, groups: number, eps: number) {
  const x = c.input(0);
  const [batch, channels] = x.shape as [number, number];
  need(channels % groups === 0, `${groups} groups of ${channels} channels`);
  const plain = normRows(c.tape, x.view(batch * groups, x.count / batch / groups), { kind: 'layer', eps });
  const each = (i: number) => {
    const given = c.input(i); // a number a channel, or a group
    const wide = expand(c.tape, given.view(given.count, 1), [given.count, channels / given.count]);
    return wide.view(channels, ...x.shape.slice(2).map(() => 1));
  };
  return add(c.tape, mul(c.tape, plain.view(...x.shape), each(1)), each(2));
}

export const products: Adapters = {
  MatMul: (c) => [matmul(c.tape, c.bare().input(0), c.input(1))],
  Gemm: (c) => [gemm(c)],
  LayerNormalization: (c) => normed(c, 'layer'),
  RMSNormalization: (c) => normed(c, 'rms'),
  GroupNormalization: (c) => {
    const { epsilon, num_groups } = c.attributes({ epsilon: 1e-5, num_groups: 1, stash_type: 1 });
    return [grouped(c, num_groups, epsilon)];
  },
  InstanceNormalization: (c) => {
    const { epsilon } = c.attributes({ epsilon: 1e-5 });
    return [grouped(c, c.host(0).shape[1] as number, epsilon)];
  },
  MeanVarianceNormalization: (c) => {
    const { axes } = c.attributes({ axes: [0, 2, 3] as readonly number[] });
    const x = c.input(0);
    const over = axes.map((axis) => axisOf(axis, x.shape.length));
    const order = [...x.shape.map((_, i) => i).filter((i) => !over.includes(i)), ...over];
    const moved = permute(c.tape, x, order);
    const cols = product(over.map((i) => x.shape[i] as number));
    const y = normRows(c.tape, moved.view(x.count / cols, cols), { kind: 'layer', eps: 1e-18 });
    return [
      permute(
        c.tape,
        y.view(...moved.shape),
        order.map((_, i) => order.indexOf(i)),
      ),
    ];
  },
  // x / |x| is x over its root mean square, over the root of the count.
  LpNormalization: (c) => {
    const { axis, p } = c.attributes({ axis: -1, p: 2 });
    need(p === 2, `norm of absolute values (L${p})`);
    return [
      alongAxis(c, axis, (rows) => scale(c.tape, normRows(c.tape, rows, TINY), (rows.shape[1] as number) ** -0.5)),
    ];
  },
  Softmax: (c) => {
    const { axis } = c.attributes({ axis: -1 });
    return [alongAxis(c, axis, (rows) => softmax(c.tape, rows))];
  },
  LogSoftmax: (c) => {
    const { axis } = c.attributes({ axis: -1 });
    return [alongAxis(c, axis, (rows) => logSoftmax(c.tape, rows))];
  },
};

const TINY = { kind: 'rms', eps: 1e-30 } as const;

/** A function of rows along any axis of the input. */
function alongAxis(c: Context, axis: number, f: (rows: ReturnType<Context['input']>) => ReturnType<Context['input']>) {
  const x = c.input(0);
  const at = axisOf(axis, x.shape.length);
  const order = [...x.shape.map((_, i) => i).filter((i) => i !== at), at];
  const moved = permute(c.tape, x, order);
  const cols = x.shape[at] as number;
  const y = f(moved.view(x.count / cols, cols));
  return permute(
    c.tape,
    y.view(...moved.shape),
    order.map((_, i) => order.indexOf(i)),
  );
}

import { clampBackward, combine as combineKernel } from '../../kernels/combine.ts';
import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { GradSink, Tape } from '../tape.ts';

/** Records `to = by x`. */
function scaled(tape: Tape, x: Tensor, by: number, to: Tensor): void {
  tape.run(combineKernel.prepare(tape.workspace.device), { a: x, out: to }, { count: to.count, alpha: by });
}

function giveScaled(tape: Tape, sink: GradSink, input: Tensor, dy: Tensor, by: number): void {
  if (by === 1) sink.pass(input, dy);
  else sink.give(input, (to) => scaled(tape, dy, by, to));
}

/** by x. */
export function scale(tape: Tape, x: Tensor, by: number): Tensor {
  const out = tape.alloc(...x.shape);
  scaled(tape, x, by, out);
  const vjp = (dy: Tensor, sink: GradSink) => giveScaled(tape, sink, x, dy, by);
  return tape.push({ op: 'scale', inputs: [x], output: out, saved: [], vjp });
}

/** alpha a + beta b, of one shape. */
export function combine(tape: Tape, a: Tensor, b: Tensor, alpha: number, beta: number): Tensor {
  if (a.count !== b.count)
    throw new TensorError(`combine: [${a.shape}] and [${b.shape}] differ`, 'give tensors of one count');
  const out = tape.alloc(...a.shape);
  const kernel = combineKernel.prepare(tape.workspace.device, { b: true });
  tape.run(kernel, { a, b, out }, { count: a.count, alpha, beta });
  return tape.push({
    op: 'combine',
    inputs: [a, b],
    output: out,
    saved: [],
    vjp: (dy, sink) => {
      giveScaled(tape, sink, a, dy, alpha);
      giveScaled(tape, sink, b, dy, beta);
    },
  });
}

/** x clamped to +-limit; beyond it there is no gradient. */
export function clamp(tape: Tape, x: Tensor, limit: number): Tensor {
  const { device } = tape.workspace;
  const out = tape.alloc(...x.shape);
  tape.run(combineKernel.prepare(device, { clamped: true }), { a: x, out }, { count: x.count, limit });
  return tape.push({
    op: 'clamp',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dy, sink) =>
      sink.give(x, (dx) => tape.run(clampBackward.prepare(device), { y: out, dy, dx }, { count: x.count, limit })),
  });
}

import { cast as kernel } from '../../kernels/cast.ts';
import { storedAs, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Writes a tensor's numbers into another of as many, each in its own type; times factor [1] where there is one. */
export function castInto(tape: Tape, x: Tensor, out: Tensor, factor?: Tensor): void {
  const options = { dtype: storedAs(x), outDtype: storedAs(out), scaled: factor !== undefined };
  const { count } = x;
  tape.run(kernel.prepare(tape.workspace.device, options, { count }), { x, out, factor }, { count });
}

/** x stored in another type; x itself where it is so already. Its gradient is stored as x is. */
export function cast(tape: Tape, x: Tensor, dtype: 'f32' | 'f16'): Tensor {
  if (x.dtype === dtype) return x;
  const out = tape.allocAs(dtype, ...x.shape);
  castInto(tape, x, out);
  return tape.push({
    op: 'cast',
    inputs: [x],
    output: out,
    saved: [],
    vjp: (dout, sink) => sink.give(x, (dx) => castInto(tape, dout, dx)),
  });
}

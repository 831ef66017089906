import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import { count, type Tensor } from '../tensor/index.ts';

/**
 * A sum of coefficient * tensor that is not computed yet. Coefficients are doubles: next to the noise end a sampling step
 * multiplies by hundreds what cancels in exact arithmetic, so the sums are made on the host and rounded to f32 once.
 */
export type Form = ReadonlyMap<Tensor, number>;

/** A tensor as a form. */
export const formOf = (tensor: Tensor): Form => new Map([[tensor, 1]]);

/** The sum of factor * form. Terms that cancel to zero are left out. */
export function sum(...parts: readonly (readonly [factor: number, form: Form])[]): Form {
  const out = new Map<Tensor, number>();
  for (const [factor, form] of parts) {
    for (const [tensor, c] of form) out.set(tensor, (out.get(tensor) ?? 0) + factor * c);
  }
  for (const [tensor, c] of out) if (c === 0) out.delete(tensor);
  return out;
}

/** Most tensors one dispatch of the kernel combines. */
const PER_DISPATCH = 4;

/** Computes a form into a new tensor of a shape [B, ...]; four terms a dispatch. */
export function evaluate(tape: Tape, shape: readonly number[], form: Form): Tensor {
  const terms = [...form];
  let out = combine(tape, shape, terms.splice(0, PER_DISPATCH));
  while (terms.length > 0) {
    const partial = out;
    out = combine(tape, shape, [[partial, 1], ...terms.splice(0, PER_DISPATCH - 1)]);
    tape.release(partial);
  }
  return out;
}

function combine(tape: Tape, shape: readonly number[], terms: readonly (readonly [Tensor, number])[]): Tensor {
  const { device, stream } = tape.workspace;
  const out = tape.alloc(...shape);
  const coefs = tape.alloc(terms.length);
  stream.write(
    coefs,
    Float32Array.from(terms, ([, c]) => c),
  );
  const [u0, u1, u2, u3] = terms.map(([tensor]) => tensor);
  const dims = { batch: shape[0] as number, n: count(shape.slice(1)) };
  const kernel = lincomb.prepare(device, { inputs: terms.length as 1 | 2 | 3 | 4 });
  tape.run(kernel, { u0: u0 as Tensor, u1, u2, u3, coefs, out }, dims);
  tape.release(coefs);
  return out;
}

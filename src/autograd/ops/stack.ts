import { type Tensor, TensorError } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

/** Rows of several matrices of one width, one below the other: [m1, cols], [m2, cols], ... -> [m1 + m2 + ..., cols]. Copies. */
export function stackRows(tape: Tape, parts: readonly Tensor[]): Tensor {
  const cols = parts[0]?.shape[1] as number;
  const odd = parts.find((part) => part.shape.length !== 2 || part.shape[1] !== cols);
  if (odd)
    throw new TensorError(`stackRows: [${odd.shape}] is no matrix of ${cols} columns`, 'give matrices of one width');
  const { stream } = tape.workspace;
  const out = tape.alloc(
    parts.reduce((rows, part) => rows + (part.shape[0] as number), 0),
    cols,
  );
  const slices = slicesOf(parts);
  parts.forEach((part, i) => void stream.copy(part, slice(out, slices[i] as Slice)));
  return tape.push({
    op: 'stackRows',
    inputs: [...parts],
    output: out,
    saved: [],
    vjp: (dy, sink) => {
      parts.forEach((part, i) => void sink.give(part, (to) => void stream.copy(slice(dy, slices[i] as Slice), to)));
    },
  });
}

interface Slice {
  readonly first: number;
  readonly shape: readonly number[];
}

function slicesOf(parts: readonly Tensor[]): Slice[] {
  let first = 0;
  return parts.map(({ shape, count }) => {
    const own = { first, shape };
    first += count;
    return own;
  });
}

function slice(of: Tensor, { first, shape }: Slice): Tensor {
  return of.slice(first, ...shape);
}

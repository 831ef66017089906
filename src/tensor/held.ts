import { count } from './tensor.ts';

/**
 * How a parameter lies in memory where that is not as in files: runs of its elements, with zeros between them, so that rows have a
 * length that kernels read as vectors. The zeros take no gradient and stay zeros under every optimiser, which is the network's to see to.
 */
export interface Held {
  /** What kernels see. */
  readonly shape: readonly number[];
  /** Elements of a run. */
  readonly run: number;
  /** From the beginning of a run to the next's, of which the shape holds a whole number. */
  readonly stride: number;
}

/** A parameter's shape, as in files and in memory. */
export interface Shaped {
  readonly shape: readonly number[];
  /** How it lies in memory, where that is with zeros in between: `get` then gives that shape, `read` and `write` go by `shape`. */
  readonly held?: Held | undefined;
}

/** The shape of a parameter in memory. */
export const heldShape = ({ shape, held }: Shaped): readonly number[] => held?.shape ?? shape;

/** Numbers as in files, laid out as they are held. */
export function spread(data: Float32Array<ArrayBuffer>, { shape, run, stride }: Held): Float32Array<ArrayBuffer> {
  const held = new Float32Array(count(shape));
  for (let i = 0; i * stride < held.length; i++) held.set(data.subarray(i * run, (i + 1) * run), i * stride);
  return held;
}

/** Numbers as they are held, laid out as in files. */
export function gathered(held: Float32Array<ArrayBuffer>, { run, stride }: Held): Float32Array<ArrayBuffer> {
  const runs = held.length / stride;
  const data = new Float32Array(runs * run);
  for (let i = 0; i < runs; i++) data.set(held.subarray(i * stride, i * stride + run), i * run);
  return data;
}

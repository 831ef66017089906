import { count, type Held } from '../tensor/index.ts';

/** Rows of hidden activations and of the weights that multiply them are vectors of 4, and of 8 halves for products of tiles. */
const MULTIPLE = 8;

/** Hidden units of a SwiGLU MLP, as the reference counts them. */
export const swigluHidden = (width: number): number => Math.trunc((2 / 3) * 4 * width);

const held = (hidden: number) => Math.ceil(hidden / MULTIPLE) * MULTIPLE;

/**
 * How weights [parts * hidden, ...each] lie whose rows make hidden units, with units of zeros after each part's own: undefined where none
 * are needed. A unit of zeros is silu(0) * 0 = 0 and gives its own weights, and those that multiply it, a gradient of 0.
 */
export function heldRows(parts: number, hidden: number, ...each: number[]): Held | undefined {
  if (hidden % MULTIPLE === 0) return undefined;
  const elements = count(each);
  return { shape: [parts * held(hidden), ...each], run: hidden * elements, stride: held(hidden) * elements };
}

/** How weights [rows, hidden] lie whose columns multiply hidden units, with columns of zeros for those of zeros. */
export function heldCols(rows: number, hidden: number): Held | undefined {
  if (hidden % MULTIPLE === 0) return undefined;
  return { shape: [rows, held(hidden)], run: hidden, stride: held(hidden) };
}

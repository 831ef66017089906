import { count, type ParameterSpec } from '../tensor/index.ts';

/**
 * Embeddings of times, labels and patches, and the first and last layers, by the names of the networks here: `t_embedder.mlp.0`,
 * `final_layer.linear`; of the convolutional ones `emb_noise`, `map_layer0`, `enc.32x32_conv`, `dec.32x32_aux_conv`, `out_conv`.
 */
const OUTER = /embed|^(emb|map)_|(^|\.)final_layer\.|(^|\.)out_conv\.|\d+x\d+_(conv|aux_\w+)\./;

/** Rows and columns of a parameter as a matrix: a convolution's kernel is [out, in height width]. */
export function matrixShape(shape: readonly number[]): { rows: number; cols: number } {
  const [rows = 1, ...rest] = shape;
  return { rows, cols: count(rest) };
}

/**
 * The parameters that are matrices of hidden layers: of two axes or more, with more than one row and column, neither an embedding nor a layer
 * at the ends by name, nor the first or last of those of two axes in the order of the network.
 */
export function hiddenMatrices<Spec extends ParameterSpec>(parameters: readonly Spec[]): Spec[] {
  const inner = parameters.filter(({ shape }) => shape.length > 1).slice(1, -1);
  return inner.filter(({ name, shape }) => {
    const { rows, cols } = matrixShape(shape);
    return rows > 1 && cols > 1 && !OUTER.test(name);
  });
}

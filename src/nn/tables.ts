import { normal, STREAM, uniform01 } from '../rng/philox.ts';
import { TensorError } from '../tensor/index.ts';
import type { ConstantSpec, Module } from './network.ts';

/**
 * Fixed 2-D sine-cosine position table, [grid * grid, dim]: the first half of dim encodes the column, the second the row, each
 * [sin | cos] of position * 10000^(-i / (dim/4)). Computed in f64. Source: the position embedding of MAE and DiT.
 * @throws TensorError when dim is no multiple of 4.
 */
export function sincosPositions(grid: number, dim: number): Float32Array<ArrayBuffer> {
  if (dim % 4 !== 0) throw new TensorError(`position table: width ${dim} is no multiple of 4`, 'give a width that is');
  const table = new Float32Array(grid * grid * dim);
  const quarter = dim / 4;
  for (let row = 0; row < grid; row++) {
    for (let col = 0; col < grid; col++) {
      const base = (row * grid + col) * dim;
      for (let i = 0; i < quarter; i++) {
        const omega = 10000 ** (-i / quarter);
        table[base + i] = Math.sin(col * omega);
        table[base + quarter + i] = Math.cos(col * omega);
        table[base + 2 * quarter + i] = Math.sin(row * omega);
        table[base + 3 * quarter + i] = Math.cos(row * omega);
      }
    }
  }
  return table;
}

/** Frequencies in equal ratios from 1 up to `most`: [n]. */
export function geometricFrequencies(n: number, most: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: n }, (_, i) => most ** (i / (n - 1)));
}

/**
 * 2-D rotary tables of TiT and LightningDiT, cos and sin [grid * grid, headDim]: headDim/2 for the row, then headDim/2 for
 * the column, frequencies 10000^(-2j / (headDim/2)), each for a pair of neighbours. Source: RoPE, Su et al. 2021, per axis.
 * @throws TensorError when headDim is no multiple of 4.
 */
export function ropeTables(
  grid: number,
  headDim: number,
): { cos: Float32Array<ArrayBuffer>; sin: Float32Array<ArrayBuffer> } {
  if (headDim % 4 !== 0)
    throw new TensorError(`rotary table: head_dim ${headDim} is no multiple of 4`, 'give other heads or width');
  const cos = new Float32Array(grid * grid * headDim);
  const sin = new Float32Array(cos.length);
  const half = headDim / 2;
  for (let token = 0; token < grid * grid; token++) {
    for (let d = 0; d < headDim; d++) {
      const position = d < half ? Math.floor(token / grid) : token % grid;
      const j = Math.floor((d % half) / 2);
      const angle = position * 10000 ** ((-2 * j) / half);
      cos[token * headDim + d] = Math.cos(angle);
      sin[token * headDim + d] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/**
 * 2-D rotary tables of DDT, cos and sin [grid * grid, headDim]: positions stretched over 0 to 16, neighbouring pairs that turn
 * by the column and the row in turns, frequencies 10000^(-4j / headDim). Source: the reference's DDT (complex RoPE).
 * @throws TensorError when headDim is no multiple of 4.
 */
export function stretchedRopeTables(
  grid: number,
  headDim: number,
): { cos: Float32Array<ArrayBuffer>; sin: Float32Array<ArrayBuffer> } {
  if (headDim % 4 !== 0)
    throw new TensorError(`rotary table: head_dim ${headDim} is no multiple of 4`, 'give other heads or width');
  const cos = new Float32Array(grid * grid * headDim);
  const sin = new Float32Array(cos.length);
  const step = grid > 1 ? 16 / (grid - 1) : 0;
  for (let token = 0; token < grid * grid; token++) {
    const places = [(token % grid) * step, Math.floor(token / grid) * step] as const;
    for (let d = 0; d < headDim; d++) {
      const pair = Math.floor(d / 2);
      const angle = (places[pair % 2] as number) * 10000 ** ((-4 * Math.floor(pair / 2)) / headDim);
      cos[token * headDim + d] = Math.cos(angle);
      sin[token * headDim + d] = Math.sin(angle);
    }
  }
  return { cos, sin };
}

/** A module's random constants, by name: its own, which `keepConstants` changes. */
export function randomConstants({ constants }: Pick<Module, 'constants'>): Map<string, Float32Array<ArrayBuffer>> {
  return new Map(constants.flatMap(({ name, data, random }) => (random ? [[name, data] as const] : [])));
}

/** Puts saved numbers in the place of a module's random constants, where there are some of their name and length. */
export function keepConstants(
  module: Pick<Module, 'constants'>,
  saved: (name: string) => Float32Array | undefined,
): void {
  for (const [name, data] of randomConstants(module)) {
    const found = saved(name);
    if (found?.length === data.length) data.set(found);
  }
}

/** Random numbers that a network keeps and does not train: the same in every network of ours, a checkpoint's in one that is loaded. */
export function randomConstant(name: string, count: number, draw: 'normal' | 'uniform', scale: number): ConstantSpec {
  const value = draw === 'normal' ? normal : uniform01;
  // Steps of the init stream count parameters: these lie past all of them.
  const step = 2 ** 32 + (draw === 'normal' ? 0 : 1);
  const data = Float32Array.from({ length: count }, (_, i) => scale * value(0, STREAM.init, step, i));
  return { name, shape: [count], data, random: true };
}

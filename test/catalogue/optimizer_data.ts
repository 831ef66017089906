import { normal } from '../../src/rng/philox.ts';
import type { KernelCase } from './case.ts';

export type Extra = Partial<KernelCase>;
export const BENCH: Extra = { benchOnly: true };
export const LARGE = 1 << 24;

export const randn = (count: number, stream: number, scale = 1) =>
  Float32Array.from({ length: count }, (_, i) => scale * normal(2, stream, 0, i));

/** Flat buffers hold whole vec4s: what lies past `count` must be left as it was. */
export function padded(values: Float32Array): Float32Array {
  const out = new Float32Array(Math.ceil(values.length / 4) * 4).fill(-77);
  out.set(values);
  return out;
}

/** The first `count` of an oracle's values, then the padding unchanged. */
export const repadded = (values: Float64Array) =>
  Float64Array.from(padded(new Float32Array(values.length)), (v, i) => values[i] ?? v);

export const NUMBERS = { lr: 0.01, beta1: 0.9, beta2: 0.95, eps: 1e-6, weightDecay: 0.1 };

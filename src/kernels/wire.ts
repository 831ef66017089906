import { defineKernel, flag, group, groupsOf } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** What is wrong with a size that is accessed as vectors of four. */
const fours = (name: string, value: number) =>
  value % 4 === 0 ? undefined : { what: `${name} is ${value}`, fix: 'give a multiple of 4, with zeros at the end' };

/**
 * f32 to bf16, two numbers a word, to nearest, ties to even. Buffers: x [count] f32, out [count / 2] u32. count is a multiple of 4. See
 * shaders/wire_pack.wgsl.
 */
export const wirePack = defineKernel({
  shader: shaders.wire_pack,
  sizes: (d) => ({ x: d.count, out: d.count / 2 }),
  grid: (d, k) => groupsOf(d.count, k, 4),
  check: (d) => fours('count', d.count),
});

/** bf16, two numbers a word, to f32: exact. Buffers: x [count / 2] u32, out [count] f32. count is a multiple of 4. See shaders/wire_unpack.wgsl. */
export const wireUnpack = defineKernel({
  shader: shaders.wire_unpack,
  sizes: (d) => ({ x: d.count / 2, out: d.count }),
  grid: (d, k) => groupsOf(d.count, k, 4),
  check: (d) => fours('count', d.count),
});

/** What is summed. */
export interface WireSumOptions {
  /** The words hold two numbers of bf16 each, not one of f32. */
  bf16: boolean;
}

/**
 * `out = sum over ranks r of weights[r] x[r]`, in the order of the ranks, in f32. Buffers: x [ranks, words], out [words], f32 or pairs
 * of bf16; weights [ranks] f32. words is a multiple of 4. See shaders/wire_sum.wgsl.
 */
export const wireSum = defineKernel({
  shader: shaders.wire_sum,
  options: group<WireSumOptions>({ bf16: flag }),
  knobs: (o: WireSumOptions) => ({ BF16: o.bf16 }),
  sizes: (d) => ({ x: d.ranks * d.words, weights: d.ranks, out: d.words }),
  grid: (d, k) => groupsOf(d.words, k, 4),
  check: (d) => fours('words', d.words),
});

/** Of what the mean is taken. */
export interface WireMeanOptions {
  /** What was sent holds two numbers of bf16 a word, not one of f32. */
  bf16: boolean;
}

/**
 * `own = weights[0] x0 + weights[1] x1` of two ranks' numbers, in f32, in place. Buffers: own [count] f32, this rank's; other [count] f32 or
 * [count / 2] pairs of bf16, what the other rank sent; weights [2] f32. `rank` is this one's, 0 or 1; count is even with bf16. See
 * shaders/wire_mean.wgsl.
 */
export const wireMean = defineKernel({
  shader: shaders.wire_mean,
  options: group<WireMeanOptions>({ bf16: flag }),
  knobs: (o: WireMeanOptions) => ({ BF16: o.bf16 }),
  sizes: (d, k) => ({ own: d.count, other: k.BF16 ? d.count / 2 : d.count, weights: 2 }),
  grid: (d, k) => groupsOf(k.BF16 ? d.count / 2 : d.count, k),
  check: (d, k) => {
    if (d.rank > 1) return { what: `rank is ${d.rank}`, fix: 'give 0 or 1; of more ranks use wireSum' };
    return k.BF16 && d.count % 2 !== 0
      ? { what: `count is ${d.count}`, fix: 'give an even one, with a zero at the end' }
      : undefined;
  },
});

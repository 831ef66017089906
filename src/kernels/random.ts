import { defineKernel, groupsOf, type KnobValue } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/** Blocks of `width` numbers that hold the elements first .. first + count - 1, in workgroups. */
function groups(d: { count: number; first: number }, k: Record<string, KnobValue>, width: number): number {
  if (d.count === 0) return 0;
  const blocks = Math.floor((d.first + d.count - 1) / width) - Math.floor(d.first / width) + 1;
  return groupsOf(blocks, k);
}

function check(d: { count: number; first: number }): { what: string; fix: string } | undefined {
  if (d.first + d.count <= 2 ** 32) return undefined;
  return {
    what: `elements ${d.first} to ${d.first + d.count} pass 2^32, where a step's numbers end`,
    fix: 'draw the rest from another step or stream',
  };
}

/**
 * Fills `out` [count] f32 with uniform numbers in [0, 1): elements first .. first + count - 1 of a step's numbers. `key` u32
 * [4] = (seed, stream, step_lo, step_hi). The same bits as `uniform01` of src/rng/philox.ts. See shaders/random_uniform.wgsl.
 */
export const randomUniform = defineKernel({
  shader: shaders.random_uniform,
  sizes: (d) => ({ key: 4, out: d.count }),
  grid: (d, k) => groups(d, k, 4),
  check,
});

/**
 * Fills `out` [count] f32 with standard normal numbers: elements first .. first + count - 1 of a step's numbers. `key` u32
 * [4] = (seed, stream, step_lo, step_hi). The same bits as `normal` of src/rng/philox.ts. See shaders/random_normal.wgsl.
 */
export const randomNormal = defineKernel({
  shader: shaders.random_normal,
  sizes: (d) => ({ key: 4, out: d.count }),
  grid: (d, k) => groups(d, k, 2),
  check,
});

/**
 * Fills `out` [count] f32, padded to 16 bytes, with the starting values of the parameters that lie in it: scale u, with u = 1, uniform in
 * [-1, 1) or standard normal. `rules` u32 [parameters, 5] = (first element, elements, 0 constant | 1 uniform | 2 normal, scale as f32
 * bits, step), in the order in which they lie, each from a multiple of 4 on; the gaps become 0. The same bits as `initialise` of
 * src/nn/init.ts. See shaders/init_parameters.wgsl.
 */
export const initParameters = defineKernel({
  shader: shaders.init_parameters,
  sizes: (d) => ({ rules: 5 * d.parameters, out: d.count }),
  grid: (d, k) => groupsOf(d.count, k, 4),
  check: (d) =>
    d.parameters === 0 ? { what: 'there are no parameters', fix: 'give a rule for every parameter' } : undefined,
});

/**
 * Dropout: `out = x / (1 - rate)` where number first + i of (key, layer) is at least rate, else 0; its gradient is the same of dy. Buffers:
 * key u32 [4] = (seed, stream, step_lo, step_hi), of a stream of its own; x, out [count] f32. See shaders/dropout.wgsl.
 */
export const dropout = defineKernel({
  shader: shaders.dropout,
  sizes: (d) => ({ key: 4, x: d.count, out: d.count }),
  grid: (d, k) => groups(d, k, 4),
  check: (d) =>
    check(d) ??
    (d.rate >= 0 && d.rate < 1 ? undefined : { what: `rate is ${d.rate}`, fix: 'give 0 or more, and less than 1' }),
});

import { defineKernel, flag, group, groupsOf, optional } from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';

/**
 * Rows of a table. Buffers: table [rows, cols] f32, index [count] u32, out [count, cols] f32. The caller checks that every
 * index is below rows; one that is not gives a row of NaN.
 */
export const embedding = defineKernel({
  shader: shaders.embedding_fwd,
  sizes: (d) => ({ table: d.rows * d.cols, index: d.count, out: d.count * d.cols }),
  grid: (d, k) => groupsOf(d.count * d.cols, k),
});

/** The table's gradient, written whole, deterministic. Buffers: index [count] u32, dout [count, cols] f32, dtable [rows, cols] f32. */
export const embeddingBackward = defineKernel({
  shader: shaders.embedding_bwd,
  sizes: (d) => ({ index: d.count, dout: d.count * d.cols, dtable: d.rows * d.cols }),
  grid: (d, k) => groupsOf(d.rows * d.cols, k),
});

/** Sinusoids of times, [cos | sin]. Buffers f32: t [count], out [count, dim]. */
export const timestepEmbedding = defineKernel({
  shader: shaders.timestep_embedding,
  sizes: (d) => ({ t: d.count, out: d.count * d.dim }),
  grid: (d, k) => groupsOf(d.count * d.dim, k),
  check: (d) => (d.dim < 2 ? { what: `dim is ${d.dim}`, fix: 'give at least 2' } : undefined),
});

export interface WaveEmbeddingOptions {
  /** [sin | cos] of each frequency, instead of cosines alone. */
  pairs?: boolean;
  /** Add phases. */
  phased?: boolean;
}

/**
 * Waves of times at given frequencies: `scale cos((slope t + shift) f + phase)`, or sines, then cosines. Buffers f32: t [count],
 * frequencies and phases [n], out [count, n], or [count, 2 n] with pairs. See shaders/wave_embedding.wgsl.
 */
export const waveEmbedding = defineKernel({
  shader: shaders.wave_embedding,
  options: group<WaveEmbeddingOptions>({ pairs: optional(flag), phased: optional(flag) }, ({ pairs, phased }) =>
    pairs && phased ? { what: 'pairs with phases', fix: 'leave one of them out' } : undefined,
  ),
  knobs: (o: WaveEmbeddingOptions | undefined) => ({ PAIRS: o?.pairs ?? false, PHASED: o?.phased ?? false }),
  sizes: (d, k) => ({ t: d.count, frequencies: d.n, phases: d.n, out: d.count * d.n * (k.PAIRS ? 2 : 1) }),
  grid: (d, k) => groupsOf(d.count * d.n * (k.PAIRS ? 2 : 1), k),
});

const someClasses = (d: { classes: number }) =>
  d.classes === 0 ? { what: 'there are no classes', fix: 'give at least 1' } : undefined;

/**
 * `own e + scale W[:, label]`, and e alone at the null label, which is `classes`. Buffers: e, out [count, cols] and weight [cols, classes]
 * f32, y [count] u32. See shaders/label_mix_fwd.wgsl.
 */
export const labelMix = defineKernel({
  shader: shaders.label_mix_fwd,
  sizes: (d) => ({ e: d.count * d.cols, weight: d.cols * d.classes, y: d.count, out: d.count * d.cols }),
  grid: (d, k) => groupsOf(d.count * d.cols, k),
  check: someClasses,
});

/** The gradients of `labelMix`: dout, de [count, cols], dweight [cols, classes] f32, y [count] u32. See shaders/label_mix_bwd.wgsl. */
export const labelMixBackward = defineKernel({
  shader: shaders.label_mix_bwd,
  sizes: (d) => ({ dout: d.count * d.cols, y: d.count, de: d.count * d.cols, dweight: d.cols * d.classes }),
  grid: (d, k) => groupsOf(Math.max(d.count, d.classes) * d.cols, k),
  check: someClasses,
});

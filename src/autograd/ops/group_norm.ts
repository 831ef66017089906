import {
  choosePixels,
  groupNormBackwardMeans,
  groupNormBackwardSums,
  groupNormBackwardX,
  groupNorm as groupNormKernel,
  groupNormStats,
  groupNormSums,
} from '../../kernels/group_norm.ts';
import { sumCols } from '../../kernels/reduce.ts';
import { count, type Tensor } from '../../tensor/index.ts';
import type { Tape } from '../tape.ts';

export interface GroupNormOptions {
  groups: number;
  eps: number;
  /** SiLU of the result, fused. */
  silu?: boolean;
}

/**
 * Mean and 1 / sqrt(variance + eps) of each sample's groups, [B, groups, 2], of images in strips of rows [B, rows, W, C], from the top. Each
 * row is a part of the sums. It has no backward.
 */
export function groupStatistics(tape: Tape, strips: readonly Tensor[], groups: number, eps: number): Tensor {
  const { device, stream } = tape.workspace;
  const [batch, , width, cols] = (strips[0] as Tensor).shape as [number, number, number, number];
  const heights = strips.map(({ shape }) => shape[1] as number);
  const height = heights.reduce((sum, rows) => sum + rows, 0);
  const all = tape.alloc(batch, height, 2, cols);
  let top = 0;
  strips.forEach((x, i) => {
    const rows = heights[i] as number;
    const partial = tape.alloc(batch, rows, 2, cols);
    const dims = { rows: batch * rows * width, cols, pixels: rows * width, groups, chunk_rows: width };
    tape.run(groupNormSums.prepare(device), { x, partial }, dims);
    for (let b = 0; b < batch; b++)
      stream.copy(
        partial.slice(b * rows * 2 * cols, rows, 2, cols),
        all.slice((b * height + top) * 2 * cols, rows, 2, cols),
      );
    tape.release(partial);
    top += rows;
  });
  const stats = tape.alloc(batch, groups, 2);
  const dims = { batch, cols, pixels: height * width, groups, chunk_rows: width, eps };
  tape.run(groupNormStats.prepare(device), { partial: all, stats }, dims);
  tape.release(all);
  return tape.push({ op: 'groupStatistics', inputs: strips, output: stats, saved: [], vjp: undefined });
}

/** Group norm of some rows of images by statistics of all of them: x [B, rows, W, C] -> same shape. It has no backward. */
export function groupNormBy(
  tape: Tape,
  x: Tensor,
  stats: Tensor,
  weight: Tensor,
  bias: Tensor,
  { groups, silu = false }: Omit<GroupNormOptions, 'eps'>,
): Tensor {
  const cols = x.shape.at(-1) as number;
  const rows = x.count / cols;
  const y = tape.alloc(...x.shape);
  const kernel = groupNormKernel.prepare(tape.workspace.device, { silu });
  tape.run(kernel, { x, stats, weight, bias, y }, { rows, cols, pixels: rows / (x.shape[0] as number), groups });
  return tape.push({ op: 'groupNormBy', inputs: [x, stats, weight, bias], output: y, saved: [], vjp: undefined });
}

/** Group norm of channel-last images, with weight and bias [C], both trained: x [B, ..., C] -> same shape. Wu & He 2018. */
export function groupNorm(tape: Tape, x: Tensor, weight: Tensor, bias: Tensor, o: GroupNormOptions): Tensor {
  const { device, caps } = tape.workspace;
  const batch = x.shape[0] as number;
  const cols = x.shape.at(-1) as number;
  const pixels = count(x.shape.slice(1, -1));
  const rows = batch * pixels;
  const { groups, eps, silu = false } = o;
  const image = { cols, pixels, groups };
  const chunk_rows = choosePixels(batch, pixels, cols, caps);
  const parts = pixels / chunk_rows;

  const partial = tape.alloc(batch * parts, 2, cols);
  tape.run(groupNormSums.prepare(device), { x, partial }, { rows, ...image, chunk_rows });
  const stats = tape.alloc(batch, groups, 2);
  tape.run(groupNormStats.prepare(device), { partial, stats }, { batch, ...image, chunk_rows, eps });
  tape.release(partial);
  const y = tape.alloc(...x.shape);
  tape.run(groupNormKernel.prepare(device, { silu }), { x, stats, weight, bias, y }, { rows, ...image });
  return tape.push({
    op: 'groupNorm',
    inputs: [x, weight, bias],
    output: y,
    saved: [stats],
    vjp: (dy, sink) => {
      const through = silu ? { weight, bias } : {};
      const byPart = tape.alloc(batch * parts, 2, cols);
      const sumsKernel = groupNormBackwardSums.prepare(device, { silu });
      tape.run(sumsKernel, { x, dy, stats, ...through, partial: byPart }, { rows, ...image, chunk_rows });
      const addUp = (from: Tensor, n: number, each: number, out: Tensor) => {
        const dims = { rows: n, cols: 2 * cols, chunk_rows: each };
        tape.run(sumCols.prepare(device, {}, dims), { x: from, out }, dims);
      };
      const sums = parts === 1 ? byPart : tape.alloc(batch, 2, cols);
      if (parts > 1) {
        addUp(byPart, batch * parts, parts, sums);
        tape.release(byPart);
      }
      if (sink.needs(weight) || sink.needs(bias)) {
        const all = tape.alloc(2, cols);
        addUp(sums, batch, batch, all);
        sink.give(bias, (to) => void tape.workspace.stream.copy(all.slice(0, cols), to));
        sink.give(weight, (to) => void tape.workspace.stream.copy(all.slice(cols, cols), to));
        tape.release(all);
      }
      sink.give(
        x,
        (dx, prior) => {
          const means = tape.alloc(batch, groups, 2);
          tape.run(groupNormBackwardMeans.prepare(device), { sums, weight, means }, { batch, ...image });
          const kernel = groupNormBackwardX.prepare(device, { silu, prior: prior !== undefined });
          const given = { x, dy, stats, means, weight, ...(silu && { bias }), prior, dx };
          tape.run(kernel, given, { rows, ...image });
          tape.release(means);
        },
        'fused',
      );
      tape.release(sums);
    },
  });
}

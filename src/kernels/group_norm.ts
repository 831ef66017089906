import {
  type Caps,
  defineKernel,
  flag,
  group,
  groupsOf,
  type KnobValue,
  none,
  optional,
  PORTABLE,
} from '../kernel/index.ts';
import * as shaders from '../shaders.generated.ts';
import { columnTiles } from './column_tile.ts';
import { tuningOf } from './tuning_tile.ts';

interface GroupDims {
  cols: number;
  pixels: number;
  groups: number;
}

interface Chunks {
  chunk_rows: number;
}

/**
 * Pixels of a part, of which a sample has whole ones, so that the parts of a batch keep a GPU busy; all of a sample on a CPU. Pure.
 */
export function choosePixels(batch: number, pixels: number, cols: number, caps: Caps = PORTABLE): number {
  if (caps.software) return pixels;
  const { groups, leastRows } = tuningOf(caps).columns;
  const wanted = Math.ceil(groups / Math.max(1, batch * Math.ceil(cols / 32)));
  let parts = 1;
  for (let next = 1; next <= wanted && pixels / next >= leastRows; next++) if (pixels % next === 0) parts = next;
  return pixels / parts;
}

function check(d: GroupDims, chunk_rows?: number): { what: string; fix: string } | undefined {
  if (d.cols === 0 || d.groups === 0 || d.cols % d.groups !== 0)
    return { what: `${d.groups} groups of ${d.cols} channels`, fix: 'give groups that divide the channels' };
  if (d.pixels === 0) return { what: 'pixels is 0', fix: 'give at least 1' };
  if (chunk_rows !== undefined && (chunk_rows === 0 || d.pixels % chunk_rows !== 0))
    return { what: `parts of ${chunk_rows} of ${d.pixels} pixels`, fix: 'use choosePixels' };
  return undefined;
}

const checkRows = (d: GroupDims & { rows: number }) =>
  check(d) ??
  (d.rows % d.pixels === 0
    ? undefined
    : { what: `${d.rows} rows are no images of ${d.pixels} pixels`, fix: 'give whole images' });

const parts = (d: GroupDims & Chunks & { rows: number }) => (d.rows / d.chunk_rows) * 2 * d.cols;
const lanes = (caps: Caps) => (caps.software ? { LANES: 1 } : {});
const columns = (d: GroupDims & Chunks & { rows: number }, k: Record<string, KnobValue>) =>
  (d.rows / d.chunk_rows) * columnTiles(d.cols, d.chunk_rows, k);
const elements = (d: { rows: number; cols: number }, k: Record<string, KnobValue>) =>
  groupsOf(d.rows * d.cols, k, k.PER as number);

/**
 * First pass of a group norm's statistics: mean and squared distances of each channel in parts of chunk_rows pixels (`choosePixels`).
 * Buffers f32: x [rows, cols], channel-last images; partial [rows / chunk_rows, 2, cols]. See shaders/group_norm_sums.wgsl.
 */
export const groupNormSums = defineKernel({
  shader: shaders.group_norm_sums,
  options: none,
  knobs: (_: undefined, caps) => lanes(caps),
  sizes: (d) => ({ x: d.rows * d.cols, partial: parts(d) }),
  grid: columns,
  check: (d) => checkRows(d) ?? check(d, d.chunk_rows),
});

/** Second pass: stats [batch, groups, 2] = (mean, rstd) from partial [batch pixels / chunk_rows, 2, cols]. See shaders/group_norm_stats.wgsl. */
export const groupNormStats = defineKernel({
  shader: shaders.group_norm_stats,
  options: none,
  knobs: (_: undefined, caps) => (caps.software ? { LANES: 1, ROWS: 8 } : {}),
  sizes: (d) => ({
    partial: d.batch * (d.pixels / d.chunk_rows) * 2 * d.cols,
    stats: d.batch * d.groups * 2,
  }),
  grid: (d, k) => Math.ceil((d.batch * d.groups) / (k.ROWS as number)),
  check: (d) => check(d, d.chunk_rows),
});

export interface GroupNormOptions {
  /** SiLU of the result. */
  silu?: boolean;
}

const options = group<GroupNormOptions>({ silu: optional(flag) });
const knobs = (o: GroupNormOptions | undefined) => ({ SILU: o?.silu ?? false });

/**
 * Group norm: `y = (x - mean) rstd weight + bias`, or SiLU of it. Buffers f32: x, y [rows, cols], channel-last images of `pixels` rows;
 * stats [batch, groups, 2]; weight, bias [cols]. See shaders/group_norm_fwd.wgsl.
 */
export const groupNorm = defineKernel({
  shader: shaders.group_norm_fwd,
  options,
  knobs,
  sizes: (d) => ({
    x: d.rows * d.cols,
    stats: (d.rows / d.pixels) * d.groups * 2,
    weight: d.cols,
    bias: d.cols,
    y: d.rows * d.cols,
  }),
  grid: elements,
  check: checkRows,
});

/**
 * First pass of its backward: sums of g and g xhat of each channel in parts of chunk_rows pixels, whose sums over all parts are dbias and
 * dweight. Buffers f32: x, dy [rows, cols]; stats; weight, bias with silu; partial [rows / chunk_rows, 2, cols].
 * See shaders/group_norm_bwd_sums.wgsl.
 */
export const groupNormBackwardSums = defineKernel({
  shader: shaders.group_norm_bwd_sums,
  options,
  knobs: (o: GroupNormOptions | undefined, caps) => ({ ...lanes(caps), ...knobs(o) }),
  sizes: (d) => ({
    x: d.rows * d.cols,
    dy: d.rows * d.cols,
    stats: (d.rows / d.pixels) * d.groups * 2,
    weight: d.cols,
    bias: d.cols,
    partial: parts(d),
  }),
  grid: columns,
  check: (d) => checkRows(d) ?? check(d, d.chunk_rows),
});

/** Second pass: means [batch, groups, 2] from the sums of each sample, sums [batch, 2, cols]. See shaders/group_norm_bwd_means.wgsl. */
export const groupNormBackwardMeans = defineKernel({
  shader: shaders.group_norm_bwd_means,
  sizes: (d) => ({ sums: d.batch * 2 * d.cols, weight: d.cols, means: d.batch * d.groups * 2 }),
  grid: (d, k) => groupsOf(d.batch * d.groups, k),
  check: (d) => check(d),
});

export interface GroupNormBackwardXOptions extends GroupNormOptions {
  /** Add `prior`, a gradient of x from elsewhere. */
  prior?: boolean;
}

/** The gradient by x. Buffers f32 as above; prior, dx [rows, cols]. See shaders/group_norm_bwd_x.wgsl. */
export const groupNormBackwardX = defineKernel({
  shader: shaders.group_norm_bwd_x,
  options: group<GroupNormBackwardXOptions>({ silu: optional(flag), prior: optional(flag) }),
  knobs: (o: GroupNormBackwardXOptions | undefined) => ({ ...knobs(o), HAS_PRIOR: o?.prior ?? false }),
  sizes: (d) => {
    const all = d.rows * d.cols;
    const ofGroups = (d.rows / d.pixels) * d.groups * 2;
    return { x: all, dy: all, stats: ofGroups, means: ofGroups, weight: d.cols, bias: d.cols, prior: all, dx: all };
  },
  grid: elements,
  check: checkRows,
});

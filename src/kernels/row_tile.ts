/** How a workgroup covers rows: the option that kernels of rows share. */
import { group, optional, powerOfTwo, whole } from '../kernel/index.ts';

/** Invocations a row (a power of two; 1 on CPU adapters by default) and rows a workgroup; at most 256 together. */
export interface RowTile {
  lanes: number;
  rows: number;
}

/** What is wrong with a tile of more invocations than a workgroup has. */
export const withinGroup = ({ lanes, rows }: RowTile): { what: string; fix: string } | undefined =>
  lanes * rows <= 256 ? undefined : { what: `tile has ${lanes} x ${rows} invocations`, fix: 'give 256 at most' };

/** Its sizes, checked. */
export const rowSizes = { lanes: powerOfTwo(256), rows: whole(1, 256) };

/** The option `tile` of kernels whose tile is these alone. */
export const rowTile = optional(group<RowTile>(rowSizes, withinGroup));

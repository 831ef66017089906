/** How the kernels that sum down columns cover them: lib column_lanes on the host. */
import { type Caps, group, KernelError, type KnobValue, optional, powerOfTwo } from '../kernel/index.ts';
import { foursAlong } from './vec_tile.ts';

/** Invocations a column of the kernels that sum over rows, where the sum is long. Default 8; 1 on CPU adapters (no barriers). */
export interface ColumnTile {
  /** A power of two up to 256, and to what a workgroup of the device has. */
  lanes: number;
}

/** The option `tile` of these kernels. */
export const columnTile = optional(group<ColumnTile>({ lanes: powerOfTwo(256) }));

/** Invocations a column where columns are read as vectors of 4: as many columns a workgroup as by 8 single ones. */
const VEC_LANES = 32;

/** Whether columns are read as vectors of 4, and their tile. */
export interface ColumnOptions {
  tile?: ColumnTile;
  /** Rows are read as vectors of 4: cols is a multiple of 4. Default by the shape; never on CPU adapters. */
  vec?: boolean;
}

/** `choose` and `unshaped` of the kernels that sum down columns, which leave `vec` open. */
export const byColumns = <O extends ColumnOptions | undefined>() => foursAlong<O, 'cols'>('cols');

/** The knob LANES of a kernel. @throws KernelError limit, for more invocations than the device allows a workgroup. */
export function columnLanes(kernel: string, { tile, vec }: ColumnOptions, caps: Caps): number | undefined {
  if (!tile) return caps.software ? 1 : vec ? VEC_LANES : undefined;
  if (tile.lanes <= caps.maxWorkgroupSize) return tile.lanes;
  const what = `tile.lanes is ${tile.lanes}; the device allows a workgroup ${caps.maxWorkgroupSize} invocations`;
  throw new KernelError('limit', kernel, '', what, `give ${caps.maxWorkgroupSize} at most`);
}

/** Workgroups that cover `cols` columns, each summed over `rows` rows. */
export function columnTiles(cols: number, rows: number, knobs: Record<string, KnobValue>): number {
  const lanes = rows < (knobs.LANES_FROM as number) ? 1 : (knobs.LANES as number);
  const width = (knobs.WIDTH as number | undefined) ?? (knobs.VEC ? 4 : 1);
  return Math.ceil(cols / width / ((knobs.WG as number) / lanes));
}

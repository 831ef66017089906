/** How the kernels that sum down columns cover them: lib column_lanes on the host. */
import { type Caps, group, KernelError, type KnobValue, optional, powerOfTwo } from '../kernel/index.ts';

/** Invocations a column of the kernels that sum over rows, where the sum is long. Default 8; 1 on CPU adapters (no barriers). */
export interface ColumnTile {
  /** A power of two up to 256, and to what a workgroup of the device has. */
  lanes: number;
}

/** The option `tile` of these kernels. */
export const columnTile = optional(group<ColumnTile>({ lanes: powerOfTwo(256) }));

/** The knob LANES of a kernel. @throws KernelError limit, for more invocations than the device allows a workgroup. */
export function columnLanes(kernel: string, tile: ColumnTile | undefined, caps: Caps): number | undefined {
  if (!tile) return caps.software ? 1 : undefined;
  if (tile.lanes <= caps.maxWorkgroupSize) return tile.lanes;
  const what = `tile.lanes is ${tile.lanes}; the device allows a workgroup ${caps.maxWorkgroupSize} invocations`;
  throw new KernelError('limit', kernel, '', what, `give ${caps.maxWorkgroupSize} at most`);
}

/** Workgroups that cover `cols` columns, each summed over `rows` rows. */
export function columnTiles(cols: number, rows: number, knobs: Record<string, KnobValue>): number {
  const lanes = rows < (knobs.LANES_FROM as number) ? 1 : (knobs.LANES as number);
  return Math.ceil(cols / ((knobs.WG as number) / lanes));
}

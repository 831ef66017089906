/** How the kernels of a norm, forward and backward, cover rows. */
import { type Caps, group, optional, powerOfTwo, tileSize, whole } from '../kernel/index.ts';

/** How a workgroup covers rows. */
export interface NormTile {
  lanes: number;
  rows: number;
}

/**
 * Lanes and rows of a workgroup for rows of this width: enough lanes that each takes a few columns, one lane a row on CPU
 * adapters (no barriers).
 */
export function chooseNorm(cols: number, caps: Caps): NormTile {
  if (caps.software) return { lanes: 1, rows: 8 };
  const size = tileSize(caps);
  const lanes = Math.min(size, cols <= 64 ? 16 : cols <= 512 ? 64 : 256);
  return { lanes, rows: size / lanes };
}

/** The option `tile` of these kernels. */
export const normTile = optional(
  group<NormTile>({ lanes: powerOfTwo(256), rows: whole(1, 256) }, ({ lanes, rows }) =>
    lanes * rows <= 256 ? undefined : { what: `tile has ${lanes} x ${rows} invocations`, fix: 'give 256 at most' },
  ),
);

import type { KnobValue } from './shader.ts';

/** Workgroups along x, y and z. */
export type Grid = readonly [number, number, number];

/**
 * Folds a count of workgroups into x and y, each within the device's limit. The shader gets its linear number back as
 * `wid.x + wid.y * num_workgroups.x` and must return when that number is past the count.
 */
export function foldGrid(groups: number, limit: number): Grid {
  if (groups <= limit) return [groups, 1, 1];
  const y = Math.ceil(groups / limit);
  return [Math.ceil(groups / y), y, 1];
}

/** Workgroups of WG invocations that take `count` elements, `each` an invocation. */
export function groupsOf(count: number, knobs: { readonly [name: string]: KnobValue }, each = 1): number {
  return Math.ceil(count / ((knobs.WG as number) * each));
}

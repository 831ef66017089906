/** Kernels that access their rows as vectors of 4 where these are a multiple of 4: lib elements on the host. */
import type { KnobValue } from '../kernel/index.ts';

/** What options without a shape come to: vectors of 4 for the dims that allow it, single numbers for the others. */
export const byFours = <D>(when: (dims: D) => boolean) => [
  { options: { vec: true }, when },
  { options: { vec: false }, when: () => true },
];

/** The knobs of a kernel of f32 elements. */
export const vecKnobs = (vec: boolean) => ({
  VEC: vec,
  Elem: vec ? 'vec4f' : 'f32',
  OElem: vec ? 'vec4f' : 'array<f32, 1>',
});

/** What of a row's length the vectors of a variant do not allow. */
export function checkFours(name: string, size: number, k: Record<string, KnobValue>) {
  if (!k.VEC || size % 4 === 0) return undefined;
  return {
    what: `${name} is ${size}, but rows are accessed as vectors of 4`,
    fix: 'create the kernel without vec, or for this shape',
  };
}

/** Workgroups of 64 columns, or fours of them, and ROWS PER rows. */
export const tilesOfFours = (rows: number, cols: number, k: Record<string, KnobValue>) =>
  Math.ceil(cols / (k.VEC ? 256 : 64)) * Math.ceil(rows / ((k.ROWS as number) * (k.PER as number)));

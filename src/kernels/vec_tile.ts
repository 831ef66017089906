/** Kernels that access their rows as vectors of 4 where these are a multiple of 4: lib elements on the host. */
import { type Caps, type KnobValue, oneOf, optional } from '../kernel/index.ts';

/** How a kernel's numbers are stored; it computes in f32. */
export type Stored = 'f32' | 'f16';

/** The option `dtype` of these kernels. */
export const stored = optional(oneOf<Stored>('f32', 'f16'));

/** What options without a shape come to: vectors of 4 for the dims that allow it, single numbers for the others. */
export const byFours = <D>(when: (dims: D) => boolean) => [
  { options: { vec: true }, when },
  { options: { vec: false }, when: () => true },
];

/** `choose` and `unshaped` of kernels whose only choice is to access the numbers along a dim as vectors of 4; never on CPU adapters. */
export const foursAlong = <O extends { vec?: boolean } | undefined, K extends string>(dim: K) => {
  const fits = (d: { [name in K]: number }) => d[dim] % 4 === 0;
  return {
    choose: (o: O, shape: { [name in K]: number }, caps: Caps): O => ({
      ...o,
      vec: o?.vec ?? (!caps.software && fits(shape)),
    }),
    unshaped: (o: O, caps: Caps) =>
      o?.vec !== undefined || caps.software
        ? []
        : byFours(fits).map((m) => ({ ...m, options: { ...o, ...m.options } })),
  };
};

/** A number, or a vector of 4, as it is stored. */
export const elem = (vec: boolean, dtype: Stored = 'f32'): string =>
  vec ? (dtype === 'f16' ? 'vec4h' : 'vec4f') : dtype;

/** The same of what is written: both forms can be indexed. */
export const outElem = (vec: boolean, dtype: Stored = 'f32'): string => (vec ? elem(vec, dtype) : `array<${dtype}, 1>`);

/** The knobs of a kernel whose elements are all stored alike. */
export const vecKnobs = (vec: boolean, dtype: Stored = 'f32') => ({
  VEC: vec,
  Scalar: dtype,
  Elem: elem(vec, dtype),
  OElem: outElem(vec, dtype),
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

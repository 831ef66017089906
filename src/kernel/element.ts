/** What a binding's runtime-sized array is made of, once every knob has its value. */
export interface Element {
  /** As written in WGSL: f32, vec4h, array<f32, 1>. */
  readonly type: string;
  /** Bytes of one scalar. */
  readonly scalarBytes: number;
  /** Scalars from one element to the next, padding included: 4 for vec4f, and for vec3f. */
  readonly scalars: number;
}

const SCALARS: { readonly [type: string]: number } = { f32: 4, u32: 4, i32: 4, f16: 2 };
const SUFFIXES: { readonly [letter: string]: string } = { f: 'f32', u: 'u32', i: 'i32', h: 'f16' };

/** Reads a scalar, a vector, a matrix of vectors of 4, an atomic, or an array of a known length of these; undefined for any other type. */
export function elementOf(type: string): Element | undefined {
  const text = type.replace(/\s+/g, '');
  const nested = /^array<(.+),(\d+)u?>$/.exec(text);
  if (nested) {
    const one = elementOf(nested[1] as string);
    return one && { ...one, type, scalars: one.scalars * Number(nested[2]) };
  }
  const atomic = /^atomic<(u32|i32)>$/.exec(text);
  const vector = /^(?:vec|mat([234])x(?=4))([234])(?:([fuih])|<(\w+)>)$/.exec(text);
  const scalar = atomic?.[1] ?? (vector ? (vector[4] ?? SUFFIXES[vector[3] as string]) : text);
  const scalarBytes = SCALARS[scalar as string];
  if (scalarBytes === undefined) return undefined;
  const scalars = vector ? Number(vector[1] ?? 1) * (vector[2] === '2' ? 2 : 4) : 1;
  return { type, scalarBytes, scalars };
}

import type { Tensor } from '../../src/tensor/index.ts';

/** A tensor of a case on the host. */
export interface HostTensor {
  /** As the case names it: float32, int64 (kept as 32-bit numbers), bool. */
  readonly type: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export type Attributes = { readonly [name: string]: unknown };

export interface OnnxCase {
  readonly name: string;
  readonly op: string;
  readonly attributes: Attributes;
  /** In the operator's order; undefined where one is left out. */
  readonly inputs: readonly (HostTensor | undefined)[];
  readonly outputs: readonly (HostTensor | undefined)[];
}

/** A tensor of a gradient case: with 2 decimals or more the numbers are rounded to so many, with fewer they are exact. */
export interface Recorded {
  readonly shape: readonly number[];
  readonly data: readonly number[];
  readonly decimals: number;
}

/** One step of a gradient case: what to do, of which tensors, the result's name, how. */
export type Step = readonly [op: string, inputs: readonly string[], output: string, attributes: Attributes];

export interface GradientCase {
  readonly source: string;
  readonly op: string;
  readonly inputs: { readonly [name: string]: Recorded };
  readonly steps: readonly Step[];
  readonly loss: { readonly of: string; readonly cotangent: 'ones' | Recorded };
  readonly gradients: { readonly [name: string]: Recorded };
  readonly outputs?: { readonly [name: string]: Recorded };
  /** Decimals to which the inputs were rounded, where the results were not computed from the rounded ones. */
  readonly rounded_inputs?: number;
}

/** What coverage.json of a folder says about one case. */
export interface Covered {
  readonly set: 'onnx' | 'gradients';
  readonly name: string;
  readonly status: string;
}

/** Our kernels do not express a case: what a user would look for and not find. */
export class NotOffered extends Error {
  readonly needs: string;

  constructor(needs: string) {
    super(`not offered: ${needs}`);
    this.needs = needs;
  }
}

/**
 * How far the kernels go: one or several of them on the data as it is; a trick rewrites the inputs into others that come to the
 * same; a part leaves outputs out.
 */
export interface Notes {
  trick(what: string): void;
  part(what: string): void;
}

/** Results of a case on the device, and what they should be. */
export interface Comparison {
  readonly name: string;
  readonly shape: readonly number[];
  readonly ours: Tensor | ArrayLike<number>;
  readonly wanted: ArrayLike<number>;
  /** Absolute. */
  readonly tolerance: number;
}

/** Reads attributes with their defaults; one that is not among them is a feature that the adapter does not know. */
export function attributesOf<T extends Attributes>(given: Attributes, defaults: T): T {
  for (const [name, value] of Object.entries(given)) {
    if (!(name in defaults)) throw new NotOffered(`attribute ${name}`);
    const wanted = defaults[name];
    const same =
      wanted === undefined || (Array.isArray(wanted) ? Array.isArray(value) : typeof value === typeof wanted);
    if (!same) throw new NotOffered(`attribute ${name} = ${JSON.stringify(value)}`);
  }
  return { ...defaults, ...given };
}

/** Refuses what the kernels do not have. */
export function need(offered: boolean, what: string): asserts offered {
  if (!offered) throw new NotOffered(what);
}

/** An axis counted from the front, whichever way it was given. */
export function axisOf(axis: number, rank: number): number {
  const at = axis < 0 ? axis + rank : axis;
  need(Number.isInteger(at) && at >= 0 && at < rank, `axis ${axis} of ${rank}`);
  return at;
}

export const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

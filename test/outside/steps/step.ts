import type { Tape } from '../../../src/autograd/tape.ts';
import type { Tensor } from '../../../src/tensor/index.ts';
import { type Attributes, attributesOf, type GradientCase, type Notes, need, type Recorded } from '../case.ts';

/** One step of a gradient case in work. */
export interface StepContext {
  readonly tape: Tape;
  readonly inputs: readonly Tensor[];
  /** The numbers of those that are inputs of the case: indices are needed on the host. */
  readonly numbers: readonly (Recorded | undefined)[];
  readonly attributes: Attributes;
  readonly notes: Notes;
  readonly kase: GradientCase;
}

/** A step by our kernels: its result, or its results by name. */
export type Step = (s: StepContext) => Tensor | Map<string, Tensor>;

export type Steps = { readonly [op: string]: Step };

/** Attributes with their defaults; any other is refused. */
export const read = <T extends Attributes>(s: StepContext, defaults: T): T => attributesOf(s.attributes, defaults);

/** Input i, which the step must have. */
export function at(s: StepContext, i: number): Tensor {
  const input = s.inputs[i];
  need(input !== undefined, `a step without input ${i}`);
  return input;
}

/** The step itself, once it has no attribute but those that change nothing here. */
export function bare(s: StepContext, known: Attributes = {}): StepContext {
  read(s, known);
  return s;
}

import type { Caps } from './caps.ts';
import type { Grid } from './grid.ts';
import type { OptionGroup } from './options.ts';
import type { AllDims, KnobsOf, KnobValue, ShaderSource } from './shader.ts';

/** Everything the host side of one kernel states: which shader, which knobs, how big the buffers, how many groups. */
export interface KernelSpec<S extends ShaderSource, O, Shape = never> {
  /** What errors about options call the family; the shader's name if left out. */
  name?: string;
  /** The values that each option may have. Without it the family takes no options, unless its shader or knobs depend on them. */
  options?: OptionGroup;
  /** The shader, or the choice among shaders with the same bindings and dims. */
  shader: S | ((options: O) => S);
  /** Knob values for these options. Leave out to use the shader's defaults. */
  knobs?: (options: O, caps: Caps) => KnobsOf<S>;
  /** Numbers each buffer must hold for these dims: scalars, or structs where a binding's elements are structs. */
  sizes: (dims: AllDims<S>, knobs: Record<string, KnobValue>) => { [K in keyof S['bindings']]: number };
  /** Workgroups to dispatch: a count (folded to 2-D), or an explicit grid. */
  grid: (dims: AllDims<S>, knobs: Record<string, KnobValue>) => number | Grid;
  /** Returns what is wrong with the dims and the fix, or nothing. */
  check?: (dims: AllDims<S>, knobs: Record<string, KnobValue>) => { what: string; fix: string } | undefined;
  /** Pure: the options with what they leave open (a tiling) as is best for this shape on this device. */
  choose?: (options: O, shape: Shape, caps: Caps) => O;
  /** Options without a shape come to these, in order of preference: each serves the dims that `when` says; the last serves all. */
  unshaped?: (options: O, caps: Caps) => readonly { options: O; when: (dims: AllDims<S>) => boolean }[];
}

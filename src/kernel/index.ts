/**
 * The runtime of one kernel: declare a kernel of your own, its options and errors, bind it, and what a device can do.
 * @module ucgm-webgpu/define
 */
export { cacheOf, releaseKernels } from './cache.ts';
export {
  type Caps,
  capsOf,
  distrustMatrices,
  MATRIX_FEATURE,
  type MatrixConfig,
  PORTABLE,
  rememberAdapter,
  rememberTuning,
  type TunedNumbers,
  tileSize,
} from './caps.ts';
export { defineKernel, type KernelFamily } from './define.ts';
export { type Element, elementOf } from './element.ts';
export { FixableError, KernelError, type KernelErrorCode } from './errors.ts';
export { foldGrid, type Grid, groupsOf } from './grid.ts';
export { bfloatToFloat32, float32ToHalf, halfToFloat32 } from './half.ts';
export type { DispatchRecord, Kernel } from './kernel.ts';
export {
  callback,
  checkOptions,
  either,
  flag,
  group,
  none,
  number,
  numbers,
  type Option,
  type OptionGroup,
  type OptionsOf,
  object,
  oneOf,
  optional,
  powerOfTwo,
  signal,
  text,
  texts,
  variants,
  type Wrong,
  whole,
} from './options.ts';
export type { Resource } from './resource.ts';
export type {
  AllDims,
  BindingInfo,
  BufferLike,
  BufferRange,
  BuffersOf,
  DimInfo,
  DimsOf,
  KnobInfo,
  KnobsOf,
  KnobValue,
  ShaderSource,
} from './shader.ts';
export type { KernelSpec } from './spec.ts';
export { specialise } from './specialise.ts';

export { cacheOf, releaseKernels } from './cache.ts';
export { type Caps, capsOf } from './caps.ts';
export { KernelError, type KernelErrorCode } from './errors.ts';
export { foldGrid, type Grid } from './grid.ts';
export { type DispatchRecord, defineKernel, Kernel, type KernelFamily, type KernelSpec } from './kernel.ts';
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
  whole,
} from './options.ts';
export type { BufferLike, BufferRange, BuffersOf, DimsOf, KnobsOf, KnobValue, ShaderSource } from './shader.ts';
export { specialise } from './specialise.ts';

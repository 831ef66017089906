/**
 * A kernel from a user's own WGSL: its host side read at run time (`reflect`), or written as TypeScript (`embeddedFile`, `ucgm embed`).
 * @module ucgm-webgpu/reflect
 */
export { FixableError, KernelError, type KernelErrorCode } from '../kernel/errors.ts';
export { embeddedFile, withLibraries } from './embed.ts';
export { type ReflectedShader, reflect } from './reflect.ts';

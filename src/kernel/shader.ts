/** What `tools/embed-shaders.ts` reads out of one `.wgsl` file. Wrappers never write an offset or a binding number. */
export interface ShaderSource {
  /** File name without `.wgsl`; also the kernel's name in errors and labels. */
  readonly name: string;
  /** WGSL as it stands on disk, with its `// @use` libraries appended. */
  readonly code: string;
  readonly entryPoint: string;
  readonly bindings: { readonly [name: string]: BindingInfo };
  readonly uniform: UniformInfo;
  readonly knobs: { readonly [name: string]: KnobInfo };
}

export interface BindingInfo {
  readonly binding: number;
  readonly access: 'read' | 'read_write';
  /** WGSL element type of the runtime-sized array: f32, u32, vec4f, or an alias. */
  readonly element: string;
  /** Bytes of one element as embedded (an alias knob may change it). */
  readonly elementBytes: number;
  /** Name of the bool knob that makes this binding present; absent when the binding is always needed. */
  readonly optional?: string;
}

export interface UniformInfo {
  readonly binding: number;
  readonly size: number;
  readonly fields: { readonly [name: string]: { readonly type: 'u32' | 'i32' | 'f32'; readonly offset: number } };
}

export interface KnobInfo {
  /** `override` is set through pipeline constants; `const` and `alias` lines are rewritten in the source. */
  readonly kind: 'override' | 'const' | 'alias';
  readonly type: 'u32' | 'i32' | 'f32' | 'bool' | 'type';
  readonly default: number | boolean | string;
}

export type KnobValue = number | boolean | string;

type RequiredBindings<S extends ShaderSource> = {
  [K in keyof S['bindings']]: S['bindings'][K] extends { optional: string } ? never : K;
}[keyof S['bindings']];

/** The buffers `bind` takes: required ones by name, optional ones only where the variant has them. */
export type BuffersOf<S extends ShaderSource> = { [K in RequiredBindings<S>]: BufferLike } & {
  [K in Exclude<keyof S['bindings'], RequiredBindings<S>>]?: BufferLike | undefined;
};

/** The numbers `bind` takes: the fields of the shader's uniform block. */
export type DimsOf<S extends ShaderSource> = { [K in keyof S['uniform']['fields']]: number };

/** Values for a shader's knobs; those left out keep the default written in the shader. */
export type KnobsOf<S extends ShaderSource> = { [K in keyof S['knobs']]?: KnobValue };

/** A whole GPUBuffer, or a range of one in bytes. */
export type BufferLike = GPUBuffer | BufferRange;

export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
}

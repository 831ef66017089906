/** What `tools/embed-shaders.ts` reads out of one `.wgsl` file. Wrappers never write an offset or a binding number. */
export interface ShaderSource {
  /** File name without `.wgsl`; also the kernel's name in errors and labels. */
  readonly name: string;
  /** WGSL with its `// @use` libraries appended; embedded, without comments and unused declarations, the lines of it as on disk. */
  readonly code: string;
  readonly entryPoint: string;
  readonly bindings: { readonly [name: string]: BindingInfo };
  readonly uniform: UniformInfo;
  readonly knobs: { readonly [name: string]: KnobInfo };
  /** Invocations along each axis of the workgroup: a number, a knob, or a part of one, `ROWS / 4`. */
  readonly workgroup?: readonly (number | string)[];
  /** WGSL extensions that the source enables. */
  readonly enables?: readonly string[];
}

/** A storage buffer of a kernel. */
export interface BindingInfo {
  readonly binding: number;
  readonly access: 'read' | 'read_write';
  /** WGSL element type of the runtime-sized array as written: f32, u32, vec4f, or the name of an alias knob. */
  readonly element: string;
  /** Bytes of one element where that is a struct: such a buffer's size counts structs, every other's counts scalars. */
  readonly elementBytes?: number;
  /** Name of the bool knob that makes this binding present; absent when the binding is always needed. */
  readonly optional?: string;
}

export interface UniformInfo {
  readonly binding: number;
  readonly size: number;
  readonly fields: { readonly [name: string]: DimInfo };
}

/** A number of the uniform block. */
export interface DimInfo {
  readonly type: 'u32' | 'i32' | 'f32';
  readonly offset: number;
  /** What it is where it is left out: a number, or the name of another dim. Absent: it must be given. */
  readonly else?: number | string;
  /** The bool knob of the variants that need it; in the others it is what `else` says. */
  readonly optional?: string;
}

/** A line of the header that may be set from outside. */
export interface KnobInfo {
  /** `override` is set through pipeline constants; `const` and `alias` lines are rewritten in the source. */
  readonly kind: 'override' | 'const' | 'alias';
  readonly type: 'u32' | 'i32' | 'f32' | 'bool' | 'type';
  readonly default: number | boolean | string;
  /** Left open it is halved until the workgroup is one that the device allows. */
  readonly halves?: boolean;
}

/** A value of a knob: of an alias the name of a WGSL type. */
export type KnobValue = number | boolean | string;

type RequiredBindings<S extends ShaderSource> = {
  [K in keyof S['bindings']]: S['bindings'][K] extends { optional: string } ? never : K;
}[keyof S['bindings']];

/** The buffers `bind` takes: required ones by name, optional ones only where the variant has them. */
export type BuffersOf<S extends ShaderSource> = { [K in RequiredBindings<S>]: BufferLike } & {
  [K in Exclude<keyof S['bindings'], RequiredBindings<S>>]?: BufferLike | undefined;
};

type RequiredDims<S extends ShaderSource> = {
  [K in keyof S['uniform']['fields']]: S['uniform']['fields'][K] extends { else: number | string } ? never : K;
}[keyof S['uniform']['fields']];

/** The numbers `bind` takes: the fields of the shader's uniform block, those left out that have a value for it. */
export type DimsOf<S extends ShaderSource> = { [K in RequiredDims<S>]: number } & {
  [K in Exclude<keyof S['uniform']['fields'], RequiredDims<S>>]?: number | undefined;
};

/** Every field of the uniform block: what `sizes`, `grid` and `check` of a kernel see. */
export type AllDims<S extends ShaderSource> = { [K in keyof S['uniform']['fields']]: number };

/** Values for a shader's knobs; those left out keep the default written in the shader. */
export type KnobsOf<S extends ShaderSource> = { [K in keyof S['knobs']]?: KnobValue };

/** A whole GPUBuffer, or a range of one in bytes. */
export type BufferLike = GPUBuffer | BufferRange;

/** A part of a GPUBuffer, in bytes. */
export interface BufferRange {
  readonly buffer: GPUBuffer;
  readonly offset?: number;
  readonly size?: number;
  /** What it holds, where its owner knows: f32, u32, i32, f16. A kernel refuses one whose numbers have another width than its own. */
  readonly dtype?: string;
}

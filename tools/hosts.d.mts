/** A kernel as its wrapper in src/kernels defines it. */
export interface Definition {
  readonly name: string;
  /** The module of ucgm-webgpu/kernels. */
  readonly family: string;
  /** The comment above it. */
  readonly about: string;
  /** The text of its definition, or of the whole wrapper where a function of it defines several. */
  readonly code: string;
}

/** Every kernel, by reading the wrappers. */
export function definitions(): Definition[];

/** Of each of these kernels declarations as the text of a module, last `const host = { sizes, grid, check }`, by name. */
export function hostTexts(kernels: readonly Pick<Definition, 'name' | 'family'>[]): Promise<Record<string, string>>;

import { type Kernel, KernelError, type KernelFamily, type KnobValue, type ShaderSource } from '../kernel/index.ts';
import { type PresentBinding, specialise } from '../kernel/specialise.ts';
import { sizesOf } from '../kernel/workgroup.ts';
import * as shaders from '../shaders.generated.ts';

/** One variant of a kernel, as it would be compiled. */
export interface Variant {
  readonly shader: ShaderSource;
  /** The WGSL with its knobs set, comments and all where `textOf` has them. */
  readonly code: string;
  readonly knobs: Readonly<Record<string, KnobValue>>;
  readonly bindings: readonly PresentBinding[];
  /** The knobs that differ from the shader's defaults, `A=1,B=true`. */
  readonly variant: string;
  /** WebGPU features that it needs. */
  readonly features: readonly string[];
  /** Invocations along each axis of its workgroup. */
  readonly workgroup: readonly number[];
}

/** Any family, asked by options and dims that are known at run time only. */
export type AnyFamily = KernelFamily<ShaderSource, unknown, unknown>;

/** The dims that a choice asked for and was not given. */
function watched(dims: Readonly<Record<string, number>>, missing: Set<string>) {
  return new Proxy(dims, {
    get: (own, name) => {
      if (typeof name === 'string' && name !== 'toJSON' && !Object.hasOwn(own, name)) missing.add(name);
      return Reflect.get(own, name);
    },
  });
}

/**
 * The variant that a family's `create(device, options, dims)` comes to; without dims the one that serves any. @param textOf the WGSL of a
 * shader, by its name.
 * @throws KernelError for options that the family does not have or the device does not serve, and for dims that are wrong or too few.
 */
export function variantOf(
  name: string,
  family: AnyFamily,
  device: GPUDevice,
  asked: { readonly options?: unknown; readonly dims?: Readonly<Record<string, number>> | undefined },
  textOf: (shader: string) => string,
): Variant {
  const { options, dims } = asked;
  const fail = (what: string, fix: string): never => {
    throw new KernelError('bad-dims', name, '', what, fix);
  };
  const missing = new Set<string>();
  const chosen = () => {
    try {
      return family.prepare(device, options, dims && watched(dims, missing));
    } catch (error) {
      // The choice made of dims that were not given what is no variant.
      if (missing.size === 0 || (error instanceof KernelError && error.code === 'bad-option')) throw error;
      return fail(`the variant depends on ${[...missing].join(', ')}`, 'give these in --dims, or no --dims');
    }
  };
  const kernel = chosen();
  if (dims) {
    const { fields } = shaderOf(kernel.name).uniform;
    const needed = Object.keys(fields).filter((dim) => fields[dim]?.else === undefined);
    for (const dim of Object.keys(dims))
      if (!(dim in fields)) fail(`has no dim ${dim}`, `its dims are: ${Object.keys(fields).join(', ')}`);
    const wanting = needed.filter((dim) => missing.has(dim));
    if (wanting.length > 0) fail(`the variant depends on ${wanting.join(', ')}`, `give --dims ${needed.join(', ')}`);
    if (needed.every((dim) => dim in dims)) checkServed(kernel, dims);
  }
  return asCompiled(kernel, textOf);
}

/** The variant that a kernel is, as it would be compiled of this text. */
export function asCompiled(
  { name, knobs }: Pick<Kernel, 'name' | 'knobs'>,
  textOf: (shader: string) => string,
): Variant {
  const shader = shaderOf(name);
  const special = specialise({ ...shader, code: textOf(name) }, knobs);
  return { shader, ...special, workgroup: sizesOf(shader, special.knobs) };
}

const shaderOf = (name: string) => (shaders as unknown as Record<string, ShaderSource>)[name] as ShaderSource;

/** @throws KernelError where the variant does not serve these dims, which are all that it needs. */
function checkServed(kernel: ReturnType<AnyFamily['prepare']>, dims: Readonly<Record<string, number>>): void {
  try {
    kernel.bind({} as never, dims as never);
  } catch (error) {
    // Dims are looked at before buffers.
    if (!(error instanceof KernelError && error.code === 'missing-buffer')) throw error;
  }
}

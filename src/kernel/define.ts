import { cacheOf, type DeviceCache } from './cache.ts';
import { type Caps, capsOf } from './caps.ts';
import { KernelError } from './errors.ts';
import { CompiledKernel, type Kernel, KernelSet } from './kernel.ts';
import { checkOptions, none } from './options.ts';
import type { ShaderSource } from './shader.ts';
import type { KernelSpec } from './spec.ts';
import { specialise } from './specialise.ts';
import { beyond, fitted } from './workgroup.ts';

type Asked<O, Shape> = [Shape] extends [never]
  ? undefined extends O
    ? [options?: O]
    : [options: O]
  : undefined extends O
    ? [options?: O, shape?: Shape]
    : [options: O, shape?: Shape];

/** A kernel family: the typed entry to one or more shaders with one contract. */
export interface KernelFamily<S extends ShaderSource, O, Shape = never> {
  /** Compiles for this device, or shares what is compiled or in flight. With a shape, the variant that is best for it. */
  create(device: GPUDevice, ...asked: Asked<O, Shape>): Promise<Kernel<S>>;
  /** Starts compiling and returns at once; `ready` resolves when the kernel can run. */
  prepare(device: GPUDevice, ...asked: Asked<O, Shape>): Kernel<S>;
}

/**
 * Declares a kernel family. `prepare` throws, and `create` rejects with, a KernelError for options that the family does not have,
 * and for features and limits that the device does not have.
 */
export function defineKernel<S extends ShaderSource, O = undefined, Shape = never>(
  spec: KernelSpec<S, O, Shape>,
): KernelFamily<S, O, Shape> {
  const prepare = (device: GPUDevice, options?: O, shape?: Shape): Kernel<S> => {
    const cache = cacheOf(device);
    // A step asks for hundreds of kernels by options: found by their text, they are checked and the source specialised once.
    const asked = cache.family(spec).byOptions;
    const text = textOf(spec, options, shape);
    let kernel = asked.get(text) as Kernel<S> | undefined;
    if (!kernel) {
      checkAsked(spec, options);
      kernel = chosen(cache, spec, options as O, shape);
      asked.set(text, kernel);
    }
    return kernel;
  };
  return {
    prepare,
    create: async (device: GPUDevice, options?: O, shape?: Shape) => prepare(device, options, shape).ready,
  };
}

function checkAsked<S extends ShaderSource, O, Shape>(spec: KernelSpec<S, O, Shape>, options: O | undefined): void {
  const free = spec.options === undefined && (typeof spec.shader === 'function' || (spec.knobs?.length ?? 0) > 0);
  if (free) return;
  const refuse = (what: string, fix: string) => new KernelError('bad-option', nameOf(spec), '', what, fix);
  checkOptions(spec.options ?? none, options === undefined ? {} : options, refuse);
}

const nameOf = <S extends ShaderSource, O, Shape>(spec: KernelSpec<S, O, Shape>): string =>
  spec.name ?? (typeof spec.shader === 'function' ? 'kernel' : spec.shader.name);

function textOf<S extends ShaderSource, O, Shape>(
  spec: KernelSpec<S, O, Shape>,
  options: O | undefined,
  shape?: Shape,
): string {
  try {
    const text = JSON.stringify(options) ?? '';
    return shape === undefined ? text : `${text} ${JSON.stringify(shape)}`;
  } catch (error) {
    // a circle, or a bigint
    checkAsked(spec, options);
    throw new KernelError('bad-option', nameOf(spec), '', `options: ${(error as Error).message}`, 'give plain values');
  }
}

function chosen<S extends ShaderSource, O, Shape>(
  cache: DeviceCache,
  spec: KernelSpec<S, O, Shape>,
  options: O,
  shape: Shape | undefined,
): Kernel<S> {
  const caps = capsOf(cache.device);
  if (shape !== undefined && spec.choose) return compiled(cache, spec, spec.choose(options, shape, caps), caps);
  const members = spec.unshaped?.(options, caps) ?? [];
  if (members.length === 0) return compiled(cache, spec, options, caps);
  return new KernelSet(
    members.map((member) => ({ kernel: compiled(cache, spec, member.options, caps), when: member.when })),
  );
}

/** The kernel of a family's options, shared by all options that come to the same variant. */
function compiled<S extends ShaderSource, O, Shape>(
  cache: DeviceCache,
  spec: KernelSpec<S, O, Shape>,
  options: O,
  caps: Caps,
): CompiledKernel<S> {
  const shader = typeof spec.shader === 'function' ? spec.shader(options) : spec.shader;
  const { limits } = cache.device;
  const special = specialise(shader, fitted(shader, spec.knobs?.(options, caps) ?? {}, limits));
  const { byShader } = cache.family(spec);
  let byVariant = byShader.get(shader);
  if (!byVariant) byShader.set(shader, (byVariant = new Map()));
  let kernel = byVariant.get(special.variant) as CompiledKernel<S> | undefined;
  if (!kernel) {
    const missing = special.features.filter((feature) => !cache.device.features.has(feature));
    if (missing.length > 0) {
      const what = `needs the feature ${missing.join(', ')}, which the device does not have`;
      const fix = 'request the device with requiredFeatures where the adapter has it, or ask for f32';
      throw new KernelError('missing-feature', shader.name, special.variant, what, fix);
    }
    const wrong = beyond(shader, special.knobs, special.bindings.length, limits);
    if (wrong) throw new KernelError('limit', shader.name, special.variant, wrong.what, wrong.fix);
    kernel = new CompiledKernel(cache, spec, shader, special);
    byVariant.set(special.variant, kernel);
  }
  return kernel;
}

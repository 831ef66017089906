import type { KnobsOf, KnobValue, ShaderSource } from './shader.ts';

/** What a device allows a workgroup, and a kernel. */
type Limits = Pick<
  GPUSupportedLimits,
  | 'maxComputeInvocationsPerWorkgroup'
  | 'maxComputeWorkgroupSizeX'
  | 'maxComputeWorkgroupSizeY'
  | 'maxComputeWorkgroupSizeZ'
  | 'maxStorageBuffersPerShaderStage'
>;

/** Invocations along each axis of a shader's workgroup with these knobs. */
export function sizesOf(shader: ShaderSource, knobs: { readonly [name: string]: KnobValue | undefined }): number[] {
  return (shader.workgroup ?? []).map((term) => {
    if (typeof term === 'number') return term;
    const [knob = '', divisor = '1'] = term.split(' / ');
    return Math.floor(Number(knobs[knob] ?? shader.knobs[knob]?.default) / Number(divisor));
  });
}

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/** The first axis that is longer than the device allows, or that all axes come to more invocations. */
function tooLong(sizes: readonly number[], limits: Limits): boolean {
  const most = [limits.maxComputeWorkgroupSizeX, limits.maxComputeWorkgroupSizeY, limits.maxComputeWorkgroupSizeZ];
  return (
    product(sizes) > limits.maxComputeInvocationsPerWorkgroup || sizes.some((size, axis) => size > (most[axis] ?? 1))
  );
}

/**
 * The knobs given, and where the workgroup is larger than the device allows, those that the shader marks `halved to fit` and that are
 * left open, lowered until it fits: a workgroup's rows first, then what lies along x. On a device with WebGPU's default limits
 * the shaders' own values fit.
 */
export function fitted<S extends ShaderSource>(shader: S, given: KnobsOf<S>, limits: Limits): KnobsOf<S> {
  const knobs: { [name: string]: KnobValue | undefined } = { ...given };
  const open = (shader.workgroup ?? []).filter(
    (term): term is string =>
      typeof term === 'string' && shader.knobs[term]?.halves === true && knobs[term] === undefined,
  );
  for (const name of open.reverse()) {
    for (let value = shader.knobs[name]?.default as number; value > 1 && tooLong(sizesOf(shader, knobs), limits); ) {
      value /= 2;
      knobs[name] = value;
    }
  }
  return knobs as KnobsOf<S>;
}

/** What a variant needs that the device does not allow, and the fix; undefined where it fits. */
export function beyond(
  shader: ShaderSource,
  knobs: { readonly [name: string]: KnobValue },
  buffers: number,
  limits: Limits,
): { what: string; fix: string } | undefined {
  const sizes = sizesOf(shader, knobs);
  if (tooLong(sizes, limits)) {
    const { maxComputeInvocationsPerWorkgroup: all, maxComputeWorkgroupSizeX: x, maxComputeWorkgroupSizeY: y } = limits;
    return {
      what: `needs a workgroup of ${sizes.join(' x ')} invocations; the device allows ${all}, up to ${x} x ${y}`,
      fix: 'give a smaller tile, or none, or request a device with a larger maxComputeInvocationsPerWorkgroup',
    };
  }
  const { maxStorageBuffersPerShaderStage: most } = limits;
  if (buffers <= most) return undefined;
  return {
    what: `binds ${buffers} storage buffers; the device allows ${most} a kernel`,
    fix: 'ask for fewer optional parts, or request a device with a larger maxStorageBuffersPerShaderStage',
  };
}

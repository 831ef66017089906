import { withoutBinding, withoutBlocks } from './absent.ts';
import { MATRIX_FEATURE } from './caps.ts';
import { type Element, elementOf } from './element.ts';
import { KernelError } from './errors.ts';
import type { BindingInfo, KnobInfo, KnobValue, ShaderSource } from './shader.ts';

/** A binding that the variant has, with the element type that its knobs give. */
export interface PresentBinding {
  readonly name: string;
  readonly binding: number;
  readonly access: 'read' | 'read_write';
  readonly element: Element;
}

export interface Specialised {
  readonly code: string;
  readonly constants: Record<string, number>;
  /** Every knob's value in force, defaults included. */
  readonly knobs: Record<string, KnobValue>;
  /** The knobs that differ from the defaults, `A=1,B=true`: names the variant in errors and cache keys. */
  readonly variant: string;
  /** The bindings of this variant; the others are no part of its layout. */
  readonly bindings: readonly PresentBinding[];
  /** WebGPU features that the device must have. */
  readonly features: readonly string[];
}

/** The WebGPU feature behind each WGSL extension; one of the same name where there is no entry. */
const FEATURES: { readonly [extension: string]: string } = {
  f16: 'shader-f16',
  chromium_experimental_subgroup_matrix: MATRIX_FEATURE,
};

/**
 * Sets a shader's knobs: rewrites the declared `const` and `alias` header lines, collects `override` values as pipeline
 * constants, drops the blocks of switches that are off and the optional bindings that the variant does not have, and changes nothing
 * else. An alias of f16 elements also enables the f16 extension.
 * @throws KernelError bad-knob for an unknown name or a value of the wrong type.
 */
export function specialise(shader: ShaderSource, values: { [name: string]: KnobValue | undefined }): Specialised {
  const knobs: Record<string, KnobValue> = {};
  for (const [name, info] of Object.entries(shader.knobs)) knobs[name] = info.default;
  const changed: string[] = [];
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const info = shader.knobs[name];
    if (!info) {
      const known = Object.keys(shader.knobs).join(', ') || 'none';
      throw new KernelError('bad-knob', shader.name, '', `has no knob ${name}`, `use one of: ${known}`);
    }
    checkType(shader.name, name, info, value);
    if (value !== info.default) changed.push(`${name}=${value}`);
    knobs[name] = value;
  }

  let code = shader.code;
  const constants: Record<string, number> = {};
  for (const [name, info] of Object.entries(shader.knobs)) {
    const value = knobs[name] as KnobValue;
    if (info.kind === 'override') constants[name] = Number(value);
    else if (value !== info.default) code = rewriteLine(code, shader.name, name, info, value);
    if (info.kind === 'const' && value === false) code = withoutBlocks(code, name);
  }
  const bindings: PresentBinding[] = [];
  for (const [name, info] of Object.entries(shader.bindings)) {
    if (info.optional !== undefined && knobs[info.optional] === false)
      code = withoutBinding(code, shader.name, name, info);
    else bindings.push({ name, binding: info.binding, access: info.access, element: elementFor(info, knobs) });
  }
  const enables = new Set(shader.enables ?? []);
  if (Object.values(knobs).some((value) => typeof value === 'string' && elementOf(value)?.scalarBytes === 2)) {
    if (!enables.has('f16')) code = `enable f16;\n${code}`;
    enables.add('f16');
  }
  const features = [...enables].map((extension) => FEATURES[extension] ?? extension);
  return { code, constants, knobs, variant: changed.sort().join(','), bindings, features };
}

/** A struct counts as one element of its size; all else counts in scalars, of what a binding holds where it says so. */
function elementFor(info: BindingInfo, knobs: Record<string, KnobValue>): Element {
  const type = String(knobs[info.element] ?? info.element);
  const words = elementOf(type);
  const held = info.holds === undefined ? undefined : elementOf(String(knobs[info.holds]));
  if (words && held) {
    const { scalarBytes } = held;
    return { type, scalarBytes, scalars: (words.scalars * words.scalarBytes) / scalarBytes };
  }
  return words ?? { type, scalarBytes: info.elementBytes ?? 4, scalars: 1 };
}

function checkType(kernel: string, name: string, info: KnobInfo, value: KnobValue): void {
  const ok =
    info.type === 'bool'
      ? typeof value === 'boolean'
      : info.type === 'type'
        ? typeof value === 'string'
        : typeof value === 'number' && (info.type === 'f32' ? Number.isFinite(value) : Number.isInteger(value));
  if (!ok)
    throw new KernelError('bad-knob', kernel, '', `knob ${name} is ${value}`, `give it a value of type ${info.type}`);
}

function rewriteLine(code: string, kernel: string, name: string, info: KnobInfo, value: KnobValue): string {
  const line =
    info.kind === 'alias'
      ? new RegExp(`^alias ${name} = [^;]+;`, 'm')
      : new RegExp(`^const ${name}: ${info.type} = [^;]+;`, 'm');
  if (!line.test(code)) {
    throw new KernelError('bad-knob', kernel, '', `knob ${name} has no header line`, 'run npm run embed');
  }
  const suffix = info.type === 'u32' ? 'u' : '';
  const text = info.kind === 'alias' ? `alias ${name} = ${value};` : `const ${name}: ${info.type} = ${value}${suffix};`;
  return code.replace(line, text);
}

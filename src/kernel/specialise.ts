import { KernelError } from './errors.ts';
import type { KnobInfo, KnobValue, ShaderSource } from './shader.ts';

export interface Specialised {
  readonly code: string;
  readonly constants: Record<string, number>;
  /** Every knob's value in force, defaults included. */
  readonly knobs: Record<string, KnobValue>;
  /** The knobs that differ from the defaults, `A=1,B=true`: names the variant in errors and cache keys. */
  readonly variant: string;
}

/**
 * Sets a shader's knobs: rewrites the declared `const` and `alias` header lines, collects `override` values as pipeline
 * constants, and changes nothing else. An alias set to f16 also enables the f16 extension.
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
  }
  if (Object.values(knobs).includes('f16')) code = `enable f16;\n${code}`;
  return { code, constants, knobs, variant: changed.sort().join(',') };
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

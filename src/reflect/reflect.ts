/** From WGSL to what the host side of a kernel must know of it, by wgsl_reflect. */
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import {
  type BindingInfo,
  type DimInfo,
  elementOf,
  KernelError,
  type KnobInfo,
  type ShaderSource,
} from '../kernel/index.ts';
import { componentWrites } from './component_writes.ts';

const KNOB = /^(override|const) (\w+): (u32|i32|f32|bool) = ([^;]+);|^(alias) (\w+) = ([^;]+);/;
/** A comment after a binding or a dim: the bool knob that asks for it, and what a dim is without it. */
const OPTIONAL = /\/\/ optional(?:: (\w+))?(?:, else ([\w.+-]+))?/;

/** A comment after a binding: the alias knob that says what its data are. */
const HOLDS = /\/\/ holds (\w+)/;

/** After a knob: what it is, and whether it may be lowered where a device allows fewer invocations. */
const KNOB_COMMENT = /\/\/ knob(, halved to fit)?:/;

/** What `reflect` finds in WGSL text: names of bindings and dims are known at run time only. */
export type ReflectedShader = ShaderSource;

/**
 * Reads bindings, uniform layout and knobs out of one kernel's WGSL, so that no offset and no binding number is written by hand:
 * `defineKernel({ shader: reflect(code), ... })`. `name` is the kernel's name in errors and labels.
 *
 * The code has one compute entry point; storage buffers of group 0, each a runtime-sized array declared on a line of its own; one
 * uniform block of u32, i32 and f32. A header line `const NAME: u32 = 64u; // knob: ...` or `alias Elem = f32; // knob: ...` may be
 * set by `knobs`; a size of the workgroup marked `// knob, halved to fit: ...` is lowered by itself on a device that allows fewer
 * invocations, so the grid is to follow from it; `// holds NAME` after a binding names the alias knob of what its data are, where its
 * element is only the words they are read in; a binding whose line ends in `// optional: KNOB` is there only in variants with that knob; a dim with
 * `// optional, else 1` may be left out.
 * @throws KernelError reflect, saying which of these does not hold.
 */
export function reflect(code: string, name = 'kernel'): ReflectedShader {
  const fail = (what: string, fix: string): never => {
    throw new KernelError('reflect', name, '', what, fix);
  };
  for (const line of componentWrites(code)) {
    fail(
      `line ${line} writes one component of a vector that invocations share, which may write the others too`,
      'write the vector whole, or make it an array of scalars',
    );
  }
  const module = parsed(code, name);
  const [entry] = module.entry.compute;
  if (!entry) return fail('has no compute entry point', 'mark a function with @compute');
  if (module.entry.compute.length !== 1) fail('has more than one entry point', 'keep one kernel a file');

  const knobs = knobsOf(code);
  const bindings: Record<string, BindingInfo> = {};
  for (const variable of module.storage) {
    if (variable.group !== 0) fail(`${variable.name} is not in group 0`, 'declare every buffer in @group(0)');
    bindings[variable.name] = bindingOf(variable, code, knobs, fail);
  }
  const [block] = module.uniforms;
  if (!block) return fail('has no uniform block of dims', 'declare one: @group(0) @binding(n) var<uniform> dims: Dims');
  if (module.uniforms.length !== 1) fail('has more than one uniform block', 'put all dims into one struct');
  const fields: Record<string, DimInfo> = {};
  for (const member of block.members ?? []) fields[member.name] = dimOf(member, code, fail);
  for (const [dim, info] of Object.entries(fields)) {
    if (typeof info.else === 'string' && !(info.else in fields))
      fail(`dim ${dim} is ${info.else} where left out, which is no dim`, 'name a dim, or give a number');
  }
  for (const [what, { optional }] of [...Object.entries(bindings), ...Object.entries(fields)]) {
    if (optional && knobs[optional]?.type !== 'bool')
      fail(`${what} is optional by ${optional}, which is no bool knob`, 'name a bool knob');
  }
  const enables = Array.from(code.matchAll(/^enable ([^;]+);/gm), (match) =>
    (match[1] as string).split(/\s*,\s*/),
  ).flat();
  const uniform = { binding: block.binding, size: block.size, fields };
  const workgroup = workgroupOf(code, knobs);
  for (const [knob, { halves, default: size }] of Object.entries(knobs)) {
    if (!halves) continue;
    if (!workgroup?.includes(knob))
      fail(`knob ${knob} is no size of the workgroup`, 'halve to fit only what @workgroup_size names');
    if (!Number.isInteger(Math.log2(size as number))) fail(`knob ${knob} is ${size}`, 'halve to fit only powers of 2');
  }
  return {
    name,
    code,
    entryPoint: entry.name,
    bindings,
    uniform,
    knobs,
    ...(workgroup && { workgroup }),
    ...(enables.length > 0 && { enables }),
  };
}

/** The sizes that @workgroup_size names; undefined where one is neither a number, a knob, nor a constant that is a part of a knob. */
function workgroupOf(code: string, knobs: Readonly<Record<string, KnobInfo>>): (number | string)[] | undefined {
  const bare = code.replace(/\/\/.*$/gm, '');
  const sizes = /@workgroup_size\(([^)]*)\)/.exec(bare)?.[1]?.split(',') ?? [];
  const terms = sizes
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map((size) => {
      const text = new RegExp(`^const ${size}(?:: u32)? = ([^;]+);`, 'm').exec(bare)?.[1] ?? size;
      const [knob = '', divisor] = size in knobs ? [size] : text.split(/\s*\/\s*/);
      if (/^\d+u?$/.test(text) && !(size in knobs)) return Number.parseInt(text, 10);
      if (!(knob in knobs)) return undefined;
      return divisor === undefined ? knob : `${knob} / ${Number.parseInt(divisor, 10)}`;
    });
  return terms.some((term) => term === undefined) ? undefined : (terms as (number | string)[]);
}

function parsed(code: string, name: string): WgslReflect {
  try {
    return new WgslReflect(declarations(code));
  } catch (error) {
    const what = `does not parse: ${error instanceof Error ? error.message : error}`;
    throw new KernelError('reflect', name, '', what, 'correct the WGSL');
  }
}

/** A name for a type with parameters that is none of WGSL's own: an extension's. */
const EXTENDED = /^\s*alias (\w+) = (?!vec|mat|array|atomic)\w+<[^;]*>;/gm;

/**
 * The code without comments, extensions and their types, memory that is no buffer and what functions do: wgsl_reflect does not know all
 * that may stand there.
 */
function declarations(code: string): string {
  const bare = code
    .replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '')
    .replace(/^\s*((enable|requires|diagnostic)\b|var<(workgroup|private)>)[^;]*;/gm, '')
    .replace(EXTENDED, 'alias $1 = u32;');
  let out = '';
  let at = 0;
  for (const match of bare.matchAll(/\bfn\s+\w+\s*\(/g)) {
    if (match.index < at) continue;
    const open = bare.indexOf('{', match.index);
    let depth = 1;
    let end = open + 1;
    while (depth > 0 && end < bare.length) depth += { '{': 1, '}': -1 }[bare[end++] as string] ?? 0;
    out += `${bare.slice(at, open)}{}`;
    at = end;
  }
  return out + bare.slice(at);
}

type Fail = (what: string, fix: string) => never;

function bindingOf(
  variable: WgslReflect['storage'][number],
  code: string,
  knobs: Readonly<Record<string, KnobInfo>>,
  fail: Fail,
): BindingInfo {
  const { name, binding } = variable;
  const found = new RegExp(
    `^@group\\(0\\) @binding\\(${binding}\\) var<storage[^>]*> ${name}: array<(.+)>;(.*)$`,
    'm',
  ).exec(code);
  const element = found?.[1]?.trim() ?? '';
  if (!found || /^array<.*>$/.test(element) || /,\s*\w+$/.test(element))
    fail(
      `${name} is no runtime-sized array on a line of its own`,
      `write: @group(0) @binding(${binding}) var<storage, read> ${name}: array<f32>;`,
    );
  const optional = OPTIONAL.exec(found?.[2] ?? '')?.[1];
  const holds = HOLDS.exec(found?.[2] ?? '')?.[1];
  if (holds && knobs[holds]?.type !== 'type')
    fail(`${name} holds ${holds}, which is no alias knob`, 'name an alias knob');
  const access = variable.access === 'read_write' ? 'read_write' : 'read';
  const known = elementOf(String(knobs[element]?.default ?? element)) !== undefined;
  // biome-ignore lint/suspicious/noExplicitAny: wgsl_reflect types arrays loosely
  const size = ((variable.type as any).format?.size ?? 4) as number;
  return {
    binding,
    access,
    element,
    ...(holds && { holds }),
    ...(!known && { elementBytes: size }),
    ...(optional && { optional }),
  };
}

function dimOf(member: { name: string; type: { name: string }; offset: number }, code: string, fail: Fail): DimInfo {
  const type = member.type.name;
  if (type !== 'u32' && type !== 'i32' && type !== 'f32')
    return fail(`dims.${member.name} is a ${type}`, 'use u32, i32 or f32');
  const line = new RegExp(`^\\s*${member.name}: ${type},(.*)$`, 'm').exec(code)?.[1] ?? '';
  const [, optional, text] = OPTIONAL.exec(line) ?? [];
  if (optional && text === undefined) fail(`dim ${member.name} is optional without a value`, 'add ", else 0"');
  const otherwise = text === undefined ? undefined : Number.isNaN(Number(text)) ? text : Number(text);
  return {
    type,
    offset: member.offset,
    ...(otherwise !== undefined && { else: otherwise }),
    ...(optional && { optional }),
  };
}

function knobsOf(code: string): Record<string, KnobInfo> {
  const knobs: Record<string, KnobInfo> = {};
  for (const line of code.split('\n')) {
    const match = KNOB.exec(line);
    if (!match) continue;
    const kind = (match[1] ?? match[5]) as KnobInfo['kind'];
    const comment = KNOB_COMMENT.exec(line);
    if (kind !== 'override' && !comment) continue;
    const knob = (match[2] ?? match[6]) as string;
    const type = (match[3] ?? 'type') as KnobInfo['type'];
    const text = ((match[4] ?? match[7]) as string).trim();
    const value = type === 'type' ? text : type === 'bool' ? text === 'true' : Number.parseFloat(text);
    knobs[knob] = { kind, type, default: value, ...(comment?.[1] && { halves: true }) };
  }
  return knobs;
}

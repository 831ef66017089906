/**
 * Reads every shaders/*.wgsl with wgsl_reflect and writes source, bindings, uniform layout and knobs as typed constants
 * into src/shaders.generated.ts. With --check it writes nothing and exits 1 when that file is out of date.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';
import type { BindingInfo, KnobInfo, ShaderSource, UniformInfo } from '../src/kernel/shader.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const TARGET = join(ROOT, 'src/shaders.generated.ts');
const KNOB = /^(override|const) (\w+): (u32|i32|f32|bool) = ([^;]+);|^(alias) (\w+) = ([^;]+);/;

/** Appends the libraries that `// @use name` lines ask for, each once, libraries' own uses included. */
export function withLibraries(code: string, read: (name: string) => string): string {
  const parts = [code];
  const seen = new Set<string>();
  for (let i = 0; i < parts.length; i++) {
    for (const match of (parts[i] as string).matchAll(/^\/\/ @use (\w+)/gm)) {
      const name = match[1] as string;
      if (seen.has(name)) continue;
      seen.add(name);
      parts.push(read(name));
    }
  }
  return parts.join('\n');
}

const INDEX = String.raw`\s*\[(?:[^[\]]|\[[^[\]]*\])*\]`;
const ASSIGN = String.raw`\s*(?:(?:[-+*/%&|^]|<<|>>)?=(?!=)|\+\+|--)`;

/**
 * Lines that write a component of a vector in workgroup or storage memory: WGSL lets such a write store the whole vector, so two
 * invocations that write components of one vector race. An alias may be a vector in some variant, and counts as one.
 */
export function componentWrites(code: string): number[] {
  const bare = code.replace(/\/\/.*$/gm, '');
  const aliases = new Set(Array.from(bare.matchAll(/^\s*alias (\w+)/gm), (match) => match[1]));
  const found = new Set<number>();
  for (const match of bare.matchAll(/var<(?:workgroup|storage[^>]*)>\s*(\w+)\s*:\s*((?:array<\s*)*)(\w+)/g)) {
    const [, name, arrays = '', element = ''] = match;
    const indices = INDEX.repeat(arrays.split('array<').length - 1);
    const isVector = /^vec[234]/.test(element) || aliases.has(element);
    // A component by name, through structs too; by index only where the element is a vector.
    const component = String.raw`(?:(?:\s*\.\s*\w+|${INDEX})*\s*\.\s*[xyzwrgba]\b${isVector ? `|${INDEX}` : ''})`;
    const write = new RegExp(String.raw`\b${name}${indices}${component}${ASSIGN}`, 'g');
    for (const at of bare.matchAll(write)) found.add(bare.slice(0, at.index).split('\n').length);
  }
  return [...found].sort((a, b) => a - b);
}

/** Reflects one shader, libraries included, into the constant that the kernels' host side reads. */
export function reflect(name: string, code: string): ShaderSource {
  const fail = (what: string): never => {
    throw new Error(`shaders/${name}.wgsl: ${what}`);
  };
  if (!code.startsWith('//')) fail('must open with a comment that says what it computes');
  if (code.includes('${')) fail('is a template; WGSL files must be valid as they stand');
  const module = new WgslReflect(code);
  const entry = module.entry.compute[0] ?? fail('has no compute entry point');
  if (module.entry.compute.length !== 1) fail('has more than one entry point; one kernel a file');

  for (const line of componentWrites(code)) {
    fail(
      `line ${line} writes one component of a vector that invocations share, which may write the others too; write it whole`,
    );
  }

  const bindings: Record<string, BindingInfo> = {};
  for (const variable of module.storage) {
    if (variable.group !== 0) fail(`${variable.name} is not in group 0`);
    const line = code.split('\n').find((l) => new RegExp(`var<storage[^>]*> ${variable.name}\\b`).test(l)) ?? '';
    const optional = /\/\/ optional: (\w+)/.exec(line)?.[1];
    // biome-ignore lint/suspicious/noExplicitAny: wgsl_reflect types arrays loosely
    const format = (variable.type as any).format ?? variable.type;
    bindings[variable.name] = {
      binding: variable.binding,
      access: variable.access === 'read_write' ? 'read_write' : 'read',
      element: format.format ? `${format.name}<${format.format.name}>` : format.name,
      elementBytes: format.size,
      ...(optional ? { optional } : {}),
    };
  }
  const block = module.uniforms[0] ?? fail('has no uniform block of dims');
  if (module.uniforms.length !== 1) fail('has more than one uniform block');
  const fields: Record<string, { type: 'u32' | 'i32' | 'f32'; offset: number }> = {};
  for (const member of block.members ?? []) {
    const type = member.type.name;
    if (type !== 'u32' && type !== 'i32' && type !== 'f32')
      fail(`dims.${member.name} is a ${type}; use u32, i32 or f32`);
    fields[member.name] = { type: type as 'u32', offset: member.offset };
  }
  const uniform: UniformInfo = { binding: block.binding, size: block.size, fields };

  const knobs: Record<string, KnobInfo> = {};
  for (const line of code.split('\n')) {
    const match = KNOB.exec(line);
    if (!match) continue;
    const kind = (match[1] ?? match[5]) as KnobInfo['kind'];
    if (kind !== 'override' && !line.includes('// knob:')) continue;
    const knob = (match[2] ?? match[6]) as string;
    const type = (match[3] ?? 'type') as KnobInfo['type'];
    const text = ((match[4] ?? match[7]) as string).trim();
    const value = type === 'type' ? text : type === 'bool' ? text === 'true' : Number.parseFloat(text);
    knobs[knob] = { kind, type, default: value };
  }
  for (const [b, info] of Object.entries(bindings)) {
    if (info.optional && knobs[info.optional]?.type !== 'bool')
      fail(`${b} is optional by ${info.optional}, which is no bool knob`);
  }
  return { name, code, entryPoint: entry.name, bindings, uniform, knobs };
}

const oneLine = (value: object): string =>
  JSON.stringify(value)
    .replace(/"(\w+)":/g, ' $1: ')
    .replace(/"/g, "'")
    .replace(/}/g, ' }');

/** The TypeScript constant of one shader: reflection a line each, then the source as it reads on disk. */
function constant(shader: ShaderSource): string {
  const group = (entries: { [name: string]: object }) =>
    Object.entries(entries)
      .map(([name, info]) => `    ${name}: ${oneLine(info)},\n`)
      .join('');
  const source = shader.code.replace(/[\\`]|\$\{/g, '\\$&');
  return [
    `export const ${shader.name} = {`,
    `  name: '${shader.name}',`,
    `  entryPoint: '${shader.entryPoint}',`,
    `  bindings: {\n${group(shader.bindings)}  },`,
    `  uniform: ${oneLine(shader.uniform)},`,
    `  knobs: {\n${group(shader.knobs)}  },`,
    `  code: \`${source}\`,`,
    '} as const satisfies ShaderSource;\n',
  ].join('\n');
}

function generate(): { text: string; failures: string[] } {
  const files = readdirSync(join(ROOT, 'shaders'))
    .filter((f) => f.endsWith('.wgsl'))
    .sort();
  const library = (name: string) => readFileSync(join(ROOT, 'shaders/lib', `${name}.wgsl`), 'utf8');
  const out = [
    '// Written by `npm run embed` from shaders/*.wgsl; do not edit. `npm run check` fails when it is out of date.',
    "import type { ShaderSource } from './kernel/shader.ts';\n",
  ];
  const failures: string[] = [];
  for (const file of files) {
    const name = file.slice(0, -'.wgsl'.length);
    try {
      out.push(constant(reflect(name, withLibraries(readFileSync(join(ROOT, 'shaders', file), 'utf8'), library))));
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error); // wgsl_reflect names no file
      failures.push(what.startsWith('shaders/') ? what : `shaders/${file}: ${what}`);
    }
  }
  return { text: out.join('\n'), failures };
}

if (process.argv[1]?.endsWith('embed-shaders.ts')) {
  const { text, failures } = generate();
  const stale = readFileSync(TARGET, { encoding: 'utf8', flag: 'a+' }) !== text;
  if (process.argv.includes('--check')) {
    if (stale) failures.push('src/shaders.generated.ts is out of date. Fix: npm run embed');
  } else if (stale && failures.length === 0) writeFileSync(TARGET, text);
  for (const failure of failures) console.error(failure);
  if (failures.length > 0) process.exit(1);
}

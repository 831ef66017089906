import type { DimInfo, KnobValue } from '../kernel/index.ts';
import { compact, trimmed } from '../reflect/compact.ts';
import { folded } from '../reflect/fold.ts';
import type { Variant } from './variant.ts';

/** What is written of one kernel beside its variant. */
export interface KernelText {
  /** As the library exports it. */
  readonly name: string;
  /** What it computes, its buffers and their shapes: the comment above its definition. */
  readonly about: string;
  /** Its host side: declarations, last `const host = { sizes, grid, check }`. */
  readonly host: string;
  /** What compiles, checks, binds and dispatches any kernel: src/alone/runtime.js. */
  readonly runtime: string;
  /** The command that writes these files again. */
  readonly command: string;
  /** Of the package. */
  readonly version: string;
}

/** The files of one kernel, by their suffix. */
export interface KernelFiles {
  readonly '.js': string;
  readonly '.d.ts': string;
  readonly '.wgsl': string;
}

const LICENCE = 'SPDX-License-Identifier: MIT, Copyright (c) 2026 the ucgm-webgpu authors';

const commented = (text: string) => text.replace(/^(?!$)/gm, '// ').replace(/^$/gm, '//');

/**
 * A kernel as files of one's own. `.js`: an ES module that imports nothing, with its WGSL without comments; `.d.ts`: its types; `.wgsl`: the
 * same WGSL to be read. @param file their name without suffix.
 */
export function kernelFiles(file: string, variant: Variant, text: KernelText): KernelFiles {
  const { shader, bindings } = variant;
  const code = trimmed({ code: folded(variant.code), entryPoint: shader.entryPoint, knobs: {} })
    .replace(/^\/\/ @use .*\n/gm, '')
    .replace(/\n{3,}/g, '\n\n');
  const written = `Written by ucgm-webgpu ${text.version}: ${text.command}\n${LICENCE}`;
  const dims = Object.entries(shader.uniform.fields).map(([name, info]) => dimOf(name, info, variant.knobs));
  const given = dims.filter(({ only }) => only === undefined);
  const buffers = bindings.map(({ name }) => name);
  const usage = [
    `import { create } from './${file}.js';`,
    'const kernel = await create(device); // compiled once a device',
    `kernel.dispatch(pass, { ${buffers.join(', ')} }, { ${given.flatMap((d) => (d.needed ? d.name : [])).join(', ')} }); // a compute pass, or a command encoder`,
  ].join('\n');
  const constant = (name: string, value: unknown) => `const ${name} = ${JSON.stringify(value).replaceAll('"', "'")};\n`;
  const lines = (name: string, open: string, close: string, all: string[]) =>
    `const ${name} = ${open}\n${all.map((line) => `  ${line},\n`).join('')}${close};\n`;
  const js = [
    `${commented(written)}\n//\n${commented(text.about)}\n//\n${commented(usage)}\n`,
    constant('NAME', text.name),
    '/** Values that the variant was compiled with, as far as its functions below ask for them. */\n',
    `const KNOBS = ${literal(askedFor(variant.knobs, text.host))};\n`,
    '/** Storage buffers: elements of so many numbers and bytes. */\n',
    lines('BUFFERS', '[', ']', bindings.map(bufferOf)),
    '/** The uniform block: what is left out is `otherwise`, or the only value there is for the variant. */\n',
    lines(
      'DIMS',
      '{',
      '}',
      dims.map(({ name, type, otherwise, only }) => `${name}: ${literal({ type, otherwise, only })}`),
    ),
    constant('DIMS_BINDING', shader.uniform.binding),
    constant('FEATURES', variant.features),
    `const LIMITS = ${literal(limitsOf(variant))};\n`,
    constant('ENTRY', shader.entryPoint),
    `\n${text.runtime.trim()}\n`,
    `\n// The library's own functions of this kernel: numbers of each buffer, workgroups, and what is wrong with dims.\n\n${text.host}\n`,
    `\n// ${file}.wgsl without its comments.\nconst WGSL = /* wgsl */ \`\n${bare(code, variant)}\n\`;\n`,
  ].join('');
  return {
    '.js': js,
    '.d.ts': types(text, written, usage, variant, given),
    '.wgsl': `${commented(written)}\n${code.trimEnd()}\n`,
  };
}

/** Without comments, empty lines and spaces that nothing needs. */
const bare = (code: string, { shader: { entryPoint } }: Variant): string =>
  compact({ code, entryPoint, knobs: {} })
    .replace(/\n{2,}/g, '\n')
    .trim()
    .replace(/ +/g, (space, at: number, all: string) => {
      const [before = '', after = ''] = [all[at - 1], all[at + space.length]];
      return (isWord(before) && isWord(after)) || (isOperator(before) && isOperator(after)) ? ' ' : '';
    });

const isWord = (char: string) => /\w/.test(char);
/** Characters that two of may be read as one operator. */
const isOperator = (char: string) => '+-*/%&|^<>=!'.includes(char);

/** An object as it is written by hand; what is undefined is left out. */
const literal = (value: object): string =>
  JSON.stringify(value)
    .replace(/"(\w+)":/g, ' $1: ')
    .replace(/"/g, "'")
    .replace(/}$/, ' }');

const bufferOf = ({ name, binding, access, element: { scalars, scalarBytes } }: Variant['bindings'][number]): string =>
  literal({
    ...{ name, binding, type: access === 'read' ? 'read-only-storage' : 'storage' },
    ...{ numbers: scalars, bytes: scalars * scalarBytes },
  });

/** A dim of a variant: `otherwise` where it may be left out, `only` where the variant does not have it. */
interface Dim {
  readonly name: string;
  readonly type: DimInfo['type'];
  readonly needed: boolean;
  readonly otherwise?: number | string | undefined;
  readonly only?: number | undefined;
}

/** By the rules of `allDims` in src/kernel/dims.ts. */
function dimOf(name: string, info: DimInfo, knobs: Readonly<Record<string, KnobValue>>): Dim {
  const { type, optional, else: otherwise } = info;
  const knob = optional === undefined ? undefined : knobs[optional];
  const own = { name, type };
  if (knob === false && typeof otherwise === 'number') return { ...own, needed: false, only: otherwise };
  const needed = otherwise === undefined || knob === true;
  return needed ? { ...own, needed } : { ...own, needed, otherwise };
}

/** The knobs that the host side names. */
const askedFor = (knobs: Variant['knobs'], host: string): Record<string, KnobValue> =>
  Object.fromEntries(Object.entries(knobs).filter(([name]) => new RegExp(`\\b${name}\\b`).test(host)));

/** What the variant needs of a device. */
function limitsOf({ workgroup, bindings }: Variant): Record<string, number> {
  return {
    maxComputeInvocationsPerWorkgroup: workgroup.reduce((all, size) => all * size, 1),
    maxStorageBuffersPerShaderStage: bindings.length,
  };
}

/** What the shader's struct says of a dim, `optional` aside. */
function remark(code: string, dim: string): string {
  const comment = new RegExp(`^\\s*${dim}: [uif]32,\\s*//(.*)$`, 'm').exec(code)?.[1] ?? '';
  return comment.replace(/^\s*optional(?:: \w+)?(?:, else [\w.+-]+)?;?\s*/, '').trim();
}

function types(text: KernelText, written: string, usage: string, { code, bindings }: Variant, dims: Dim[]): string {
  const buffers = bindings.map(
    ({ name, access, element }) =>
      `  /** array<${element.type}>, ${access === 'read' ? 'read' : 'written'}. */\n  ${name}: BufferLike;\n`,
  );
  const numbers = dims.map(({ name, type, needed, otherwise }) => {
    const says = [type, needed ? '' : `${otherwise} if left out`, remark(code, name)].filter((part) => part !== '');
    return `  /** ${says.join('; ')}. */\n  ${name}${needed ? '' : '?'}: number;\n`;
  });
  const doc = (body: string) => `/**\n${body.replace(/^/gm, ' * ').replace(/ +$/gm, '')}\n */\n`;
  return `${commented(written)}

/** A whole GPUBuffer, or a range of one in bytes. */
export type BufferLike = GPUBuffer | { readonly buffer: GPUBuffer; readonly offset?: number; readonly size?: number };

/** The buffers of the kernel, each of usage STORAGE and of the bytes that \`Kernel.sizes\` says, at least. */
export interface Buffers {
${buffers.join('')}}

/** The numbers of a dispatch. */
export interface Dims {
${numbers.join('')}}

/** One bound dispatch, reusable as long as its buffers live. */
export interface Bound {
  readonly grid: readonly [number, number, number];
  readonly bindGroup: GPUBindGroup;
}

/** The error of a broken precondition, thrown before WebGPU sees it. */
export interface KernelError extends Error {
  readonly name: 'KernelError';
  /** A stable word: bad-dims, missing-buffer, buffer-too-small, buffer-alias, limit, compile ... */
  readonly code: string;
  readonly what: string;
  readonly fix: string;
}

/** The compiled kernel. It owns no data, submits nothing and destroys nothing; its dims are in uniform buffers of its own. */
export interface Kernel {
  readonly pipeline: GPUComputePipeline;
  /** Bytes that each buffer must have for these dims. @throws KernelError */
  sizes(dims: Dims): { [name in keyof Buffers]: number };
  /** Checks buffers and dims and makes what \`encode\` takes. @throws KernelError */
  bind(buffers: Buffers, dims: Dims): Bound;
  /** Sets pipeline and bind group, and dispatches. */
  encode(pass: GPUComputePassEncoder, bound: Bound): void;
  /** Binds and encodes in one: in this pass, or in one of its own of this encoder. @throws KernelError */
  dispatch(to: GPUComputePassEncoder | GPUCommandEncoder, buffers: Buffers, dims: Dims): void;
}

${doc(`${text.about}\n\`\`\`js\n${usage}\n\`\`\`\nCompiles the kernel for a device, once.\n@param options.code other WGSL to compile: the file .wgsl beside this one, changed.\n@throws KernelError (the promise rejects with it)`)}export function create(device: GPUDevice, options?: { readonly code?: string }): Promise<Kernel>;
`;
}

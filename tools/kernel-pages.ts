/**
 * npx tsx tools/kernel-pages.ts FOLDER
 * A page a kernel, from its wrapper, the heads and reflection of its shaders, the catalogue, and what was measured: the files that
 * `bench --suite kernels --json` and `--suite each` wrote into bench/results, an adapter each. `npm run docs` puts them into the site.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isTimed, type Line, type Results } from '../bench/results.ts';
import { readResults } from '../bench/results_file.ts';
import type { ShaderSource } from '../src/kernel/index.ts';
import { withLibraries } from '../src/reflect/index.ts';
import * as shaders from '../src/shaders.generated.ts';
import type { KernelCase } from '../test/catalogue/case.ts';
import { catalogue } from '../test/catalogue/index.ts';
import { type Definition, definitions } from './hosts.mjs';

const ROOT = new URL('..', import.meta.url).pathname;
/** Files of results, by the name of their adapter and the suite. */
const RESULTS = join(ROOT, 'bench/results');
const OF_KERNELS = /^(.+)-(?:kernels|each)\.jsonl$/;
const SHADERS = shaders as unknown as { readonly [name: string]: ShaderSource };

/** A kernel as an app imports it. */
interface Documented extends Pick<Definition, 'name' | 'family' | 'about'> {
  readonly shaders: readonly ShaderSource[];
}

/** Every kernel of the wrappers in src/kernels. */
const kernels = (): Documented[] =>
  definitions().map(({ code, ...definition }) => ({ ...definition, shaders: shadersOf(code) }));

/** The shaders that a kernel's definition names; one by a function of the file has all that the file names. */
const shadersOf = (code: string): ShaderSource[] =>
  [...new Set(code.match(/(?<=\bshaders\.)\w+/g))].flatMap((shader) => SHADERS[shader] ?? []);

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const casesOf = ({ name }: Documented): KernelCase[] =>
  catalogue.filter(({ kernel }) => kernel === name || kernel === snake(name));

/** A table in Markdown; nothing where there are no rows. */
function table(columns: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return '';
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What a line of a shader says in its comment, `knob` and `optional` aside. */
function remark(text: string, start: RegExp): string {
  const comment = new RegExp(`^\\s*${start.source}.*?//(.*)$`, 'm').exec(text)?.[1] ?? '';
  return comment.replace(/^\s*knob(, halved to fit)?: ?/, '').trim();
}

/** What a binding or a dim needs to be there, in words. */
const when = (optional: string | undefined, otherwise?: number | string): string =>
  [optional && `with \`${optional}\``, otherwise !== undefined && `else ${otherwise}`].filter(Boolean).join(', ') ||
  'always';

function shaderPart({ name, bindings, uniform, knobs, workgroup, enables }: ShaderSource): string {
  const read = (file: string) => readFileSync(join(ROOT, 'shaders', `${file}.wgsl`), 'utf8');
  const text = withLibraries(read(name), (library) => read(`lib/${library}`));
  const lines = text.split('\n');
  const head = lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('//')),
    )
    .map((line) => line.slice(2).replace(/^ /, ''));
  const uses = head.flatMap((line) => /^@use (\w+)/.exec(line)?.[1] ?? []);
  const sizes = workgroup?.map((size) => (typeof size === 'number' ? size : `\`${size}\` = ${sizeOf(size, knobs)}`));
  return [
    `## Shader ${name}`,
    `\`\`\`text\n${head.filter((line) => !line.startsWith('@use')).join('\n')}\n\`\`\``,
    table(
      ['buffer', 'elements', 'access', 'bound'],
      Object.entries(bindings).map(([key, b]) => [`\`${key}\``, `\`${b.element}\``, b.access, when(b.optional)]),
    ),
    table(
      ['dim', 'type', 'given'],
      Object.entries(uniform.fields).map(([key, dim]) => [`\`${key}\``, dim.type, when(dim.optional, dim.else)]),
    ),
    table(
      ['knob', 'default', 'what it is'],
      Object.entries(knobs).map(([key, knob]) => [
        `\`${key}\``,
        `\`${knob.default}\``,
        remark(text, new RegExp(`(?:const|alias|override) ${key}\\b`)),
      ]),
    ),
    [
      `Storage buffers: ${buffersOf(bindings)}; WebGPU allows 8 by default, and no variant that is chosen has more.`,
      sizes && `Workgroup: ${sizes.join(' x ')} invocations by default.`,
      Object.values(knobs).some((knob) => knob.halves) && 'Fewer where the device allows fewer.',
      enables && `Extensions: ${enables.join(', ')}.`,
      uses.length > 0 && `Libraries: ${uses.map((use) => `\`${use}\``).join(', ')}.`,
      `Text: \`ucgm-webgpu/wgsl/${name}\`.`,
    ]
      .filter(Boolean)
      .join(' '),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** How many buffers a shader always has, and how many more by its options. */
function buffersOf(bindings: ShaderSource['bindings']): string {
  const all = Object.values(bindings);
  const always = all.filter(({ optional }) => optional === undefined).length;
  return always === all.length ? `${always}` : `${always}, up to ${all.length - always} more by options`;
}

/** A size of a workgroup by its knob's default: `ROWS / 4`. */
function sizeOf(size: string, knobs: ShaderSource['knobs']): number {
  const [knob = '', divisor = '1'] = size.split(' / ');
  return Math.floor(Number(knobs[knob]?.default) / Number(divisor));
}

function testedPart(cases: readonly KernelCase[]): string {
  const bounds = new Map(cases.map(({ tolerance, toleranceFrom }) => [`${tolerance}: ${toleranceFrom}`, tolerance]));
  const rows = [...bounds.keys()].map((bound) => `- ${bound}`).join('\n');
  const needs = [...new Set(cases.flatMap((kase) => kase.needs ?? []))];
  return [
    '## Held to its oracle',
    `${cases.length} cases of the catalogue, each against a computation in doubles; bounds of ||ours - oracle|| / ||oracle||:`,
    rows,
    needs.length > 0 ? `Some variants need the feature ${needs.join(', ')} and are refused by name without it.` : '',
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** What a results file measured of a kernel, and that it says nothing of a GPU where a processor stood in for one. */
function measuredPart(cases: readonly KernelCase[], adapter: string, results: Results): string {
  const { environment } = results;
  if (!environment) return '';
  const names = new Set(cases.map(({ kernel, name }) => `${kernel} ${name}`));
  const lines = [...results.cases.values()].filter(
    (line): line is Line & { ms: number } => isTimed(line) && names.has(line.case),
  );
  const number = (value: unknown, digits: number) => (typeof value === 'number' ? value.toPrecision(digits) : '');
  const [first] = lines;
  if (!first) return '';
  const { software, ceilings, cpu } = environment;
  return [
    `## Measured on ${adapter}${software ? ', a software adapter' : ''}`,
    `${environment.adapter}, ${environment.date.slice(0, 10)}, commit ${environment.commit}: \`npm run bench -- --suite ${first.suite}\`.`,
    software ? `A software adapter, ${cores(cpu)}: these times say nothing about a GPU.` : '',
    ceilings
      ? `Ceilings of the same run: ${number(ceilings.gbps, 3)} GB/s, ${number(ceilings.tflops, 3)} TFLOP/s.`
      : '',
    table(
      ['case', 'ms', 'TFLOP/s', 'GB/s', 'of the ceiling'],
      lines.map((line) => [
        line.case,
        number(line.ms, 3),
        number(line.tflops, 3),
        number(line.gbps, 3),
        typeof line.ofRoofline === 'number' ? `${Math.round(100 * line.ofRoofline)}%` : '',
      ]),
    ),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** `2 x Some CPU` in words. */
function cores(cpu: string): string {
  const count = Number.parseInt(cpu, 10);
  return `${['', 'one core', 'two cores', '', 'four cores'][count] || `${count} cores`} of ${cpu.replace(/^\d+ x /, '')}`;
}

/** All that bench/results holds of kernels, by adapter, GPUs first. */
function measurements(): Map<string, Results> {
  const found = readdirSync(RESULTS).flatMap((file): [string, Results][] => {
    const name = OF_KERNELS.exec(file)?.[1];
    return name === undefined ? [] : [[name, readResults(join(RESULTS, file))]];
  });
  const isSoftware = ({ environment }: Results) => Number(environment?.software ?? false);
  return new Map(found.sort(([, a], [, b]) => isSoftware(a) - isSoftware(b)));
}

/** The pages, by file name, `index.md` among them. */
export function kernelPages(measured: ReadonlyMap<string, Results> = measurements()): Map<string, string> {
  const all = kernels();
  const pages = new Map<string, string>();
  for (const kernel of all) {
    const { name, family, about } = kernel;
    const cases = casesOf(kernel);
    const parts = [
      `---\ntitle: ${name}\ngroup: Kernels\n---`,
      `# ${name}`,
      about,
      `\`\`\`ts\nimport { ${name} } from 'ucgm-webgpu/kernels/${family}';\n\`\`\``,
      `As files of your own, without the package: \`npx ucgm kernel ${name}\`, with \`--options\` and \`--dims\` as \`create\` takes them.`,
      ...kernel.shaders.map(shaderPart),
      cases.length > 0 ? testedPart(cases) : '',
      ...[...measured].map(([adapter, results]) => measuredPart(cases, adapter, results)),
    ];
    pages.set(`${name}.md`, `${parts.filter((part) => part !== '').join('\n\n')}\n`);
  }
  const index = table(
    ['kernel', 'from', 'what it computes'],
    all.map(({ name, family, about }) => [
      `[${name}](${name}.md)`,
      `\`kernels/${family}\``,
      /^[\s\S]*?\.(?=\s+[A-Z]|\s*$)/.exec(about)?.[0].replace(/\s+/g, ' ') ?? '',
    ]),
  );
  pages.set('index.md', `---\ntitle: All kernels\ngroup: Kernels\n---\n\n# All kernels\n\n${index}\n`);
  return pages;
}

if (process.argv[1]?.endsWith('kernel-pages.ts')) {
  const [folder = 'site/pages/kernels'] = process.argv.slice(2);
  mkdirSync(folder, { recursive: true });
  const pages = kernelPages();
  for (const [name, text] of pages) writeFileSync(join(folder, name), text);
  console.log(`${pages.size} pages in ${folder}`);
}

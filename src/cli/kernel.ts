import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Command } from 'commander';
import { kernelFiles } from '../alone/files.ts';
import { paperDevice } from '../alone/paper_device.ts';
import { type AnyFamily, variantOf } from '../alone/variant.ts';
import { atomicWrite } from '../io/atomic.node.ts';
import { readYaml } from '../io/yaml.ts';
import { type Caps, checkOptions, flag, group, number, optional, PORTABLE, text, whole } from '../kernel/index.ts';
import { nearest } from '../kernel/nearest.ts';
import * as kernels from '../kernels/index.ts';
import { packageVersion } from './bundled.ts';
import { UsageError } from './failure.ts';
import { openTunedDevice } from './open_device.ts';
import { prepareFiles } from './output.ts';

/** Where the texts of kernels come from: the sources, or the package. */
export interface KernelTexts {
  kernelText(name: string): Promise<{ about: string; host: string }>;
  shaderText(name: string): string;
  runtimeText(): string;
}

interface KernelOptions {
  options?: string;
  dims?: string;
  caps?: string;
  out?: string;
}

export function addKernel(ucgm: Command, texts: KernelTexts): void {
  ucgm
    .command('kernel')
    .description(
      'Writes one kernel as files of your own: NAME.js, an ES module that imports nothing, with its WGSL; NAME.d.ts, its types; NAME.wgsl, the WGSL to read.',
    )
    .argument('<name>', 'kernel, as ucgm-webgpu/kernels exports it: norm, attention, matmul ...')
    .option('--options <yaml>', "its options, as create takes them: '{ kind: layer, stats: false }'")
    .option(
      '--dims <yaml>',
      "dims to choose the variant for: '{ m: 512, n: 512, k: 64 }' (default: one that serves any)",
    )
    .option(
      '--caps <yaml>',
      "what the GPU has beside WebGPU's defaults: '{ f16: true }'; adapter for this machine's (default: nothing)",
    )
    .option('--out <file>', 'file to write, .js; the others lie beside it (default: NAME.js)')
    .action((name: string, options: KernelOptions) => writeKernel(name, options, texts));
}

async function writeKernel(name: string, given: KernelOptions, texts: KernelTexts): Promise<void> {
  const { out = `${name}.js` } = given;
  const family = familyOf(name);
  prepareFiles([{ flag: '--out', path: out, extension: '.js' }], undefined);
  const options = given.options === undefined ? undefined : values('--options', given.options);
  const dims = given.dims === undefined ? undefined : dimsOf(values('--dims', given.dims));
  const device =
    given.caps === 'adapter' ? await openTunedDevice() : paperDevice(capsOf(values('--caps', given.caps ?? '{}')));
  const variant = variantOf(name, family, device, { options, dims }, texts.shaderText);
  const file = basename(out, '.js');
  const files = kernelFiles(file, variant, {
    name,
    ...(await texts.kernelText(name)),
    runtime: texts.runtimeText(),
    command: commandOf(name, given),
    version: packageVersion(),
  });
  if (given.caps === 'adapter') device.destroy();
  for (const [suffix, content] of Object.entries(files)) atomicWrite(join(dirname(out), file + suffix), content);
  const kB = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;
  const js = Buffer.from(files['.js']);
  console.log(
    `${out}: ${variant.shader.name}${variant.variant && `[${variant.variant}]`}, ${kB(js.length)}, ${kB(gzipSync(js, { level: 9 }).length)} by gzip; beside it ${file}.d.ts, ${file}.wgsl`,
  );
  for (const feature of variant.features) console.log(`needs the feature ${feature}`);
}

function familyOf(name: string): AnyFamily {
  const families = Object.entries(kernels).flatMap(([key, value]) =>
    typeof value === 'object' && 'prepare' in value ? [key] : [],
  );
  if (families.includes(name)) return (kernels as unknown as Record<string, AnyFamily>)[name] as AnyFamily;
  const near = nearest(name, families);
  throw new UsageError(
    `there is no kernel ${name}`,
    `${near ? `write ${near}; ` : ''}there are: ${families.join(', ')}`,
  );
}

/** An object of an option, YAML or JSON. */
function values(flag: string, yaml: string): Record<string, unknown> {
  const found = readYaml(yaml, (what, fix) => new UsageError(`${flag} ${yaml}: ${what}`, fix));
  if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Record<string, unknown>;
  throw new UsageError(`${flag} ${yaml} is no object`, `give names and values, such as ${flag} '{ a: 1, b: 2 }'`);
}

function dimsOf(dims: Record<string, unknown>): Record<string, number> {
  for (const [name, value] of Object.entries(dims))
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw new UsageError(`--dims: ${name} is ${JSON.stringify(value)}`, `give ${name} a number`);
  return dims as Record<string, number>;
}

type GivenCaps = Omit<Partial<Caps>, 'matrices' | 'timestamps' | 'tuned'>;

const GIVEN = group<GivenCaps>({
  f16: optional(flag),
  subgroups: optional(group<Caps['subgroups']>({ least: whole(4, 128), most: whole(4, 128) })),
  vendor: optional(text),
  architecture: optional(text),
  software: optional(flag),
  maxWorkgroupSize: optional(whole(1, 2 ** 16)),
  maxWorkgroupMemory: optional(number),
  maxGroups: optional(number),
  maxBinding: optional(number),
});

function capsOf(given: Record<string, unknown>): Caps {
  checkOptions(GIVEN, given, (what, fix) => new UsageError(`--caps: ${what}`, fix));
  return { ...PORTABLE, ...(given as GivenCaps) };
}

/** The command again, as a shell reads it. */
function commandOf(name: string, given: KernelOptions): string {
  const quoted = (value: string) => (/^[\w./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`);
  const flags = Object.entries(given).map(([flag, value]) => ` --${flag} ${quoted(value as string)}`);
  return `npx ucgm kernel ${name}${flags.join('').replace(/\s+/g, ' ')}`;
}

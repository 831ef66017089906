import { readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Command } from 'commander';
import { atomicWrite } from '../io/atomic.node.ts';
import { systemReason } from '../io/errors.ts';
import { embeddedFile, reflect, withLibraries } from '../reflect/index.ts';
import { UsageError } from './failure.ts';
import { prepareFiles } from './output.ts';

const WRITTEN = 'Written by `ucgm embed` from WGSL; do not edit.';

export function addEmbed(ucgm: Command): void {
  ucgm
    .command('embed')
    .description(
      "Writes kernels of your own as typed source: WGSL files in, one TypeScript file out, for defineKernel. A `// @use name` line takes in name.wgsl, from the folder lib beside the kernel, or the kernel's own.",
    )
    .argument('<files...>', 'WGSL files, one kernel each')
    .requiredOption('--out <file>', 'file to write, .ts')
    .option('--from <module>', 'where the types of kernels are imported from', 'ucgm-webgpu/kernels')
    .action(embed);
}

function embed(files: string[], options: { out: string; from: string }): void {
  const names = files.map((file) => basename(file, extname(file)));
  for (const [i, name] of names.entries()) {
    if (!/^[A-Za-z_]\w*$/.test(name))
      throw new UsageError(`${files[i]}: ${name} is no name of a constant`, 'rename the file: letters, digits and _');
    if (names.indexOf(name) < i)
      throw new UsageError(`two files are named ${name}`, 'give each kernel a name of its own');
  }
  prepareFiles([{ flag: '--out', path: options.out, extension: '.ts' }], undefined);
  const shaders = files.map((file, i) => reflect(withLibraries(read(file), library(file)), names[i]));
  atomicWrite(options.out, embeddedFile(shaders, options.from, WRITTEN));
  for (const { name, bindings, uniform } of shaders)
    console.log(`${name}: buffers ${Object.keys(bindings).join(', ')}; dims ${Object.keys(uniform.fields).join(', ')}`);
}

const library = (file: string) => (name: string) => {
  const places = [join(dirname(file), 'lib'), dirname(file)].map((folder) => join(folder, `${name}.wgsl`));
  for (const place of places) {
    try {
      return readFileSync(place, 'utf8');
    } catch {} // the next one, or the error below
  }
  throw new UsageError(`${file} uses ${name}, which is at none of ${places.join(', ')}`, 'put it there');
};

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file}: ${systemReason(error)}`, 'give a WGSL file');
  }
}

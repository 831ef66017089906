import type { Command } from 'commander';
import { prepareFiles } from './output.ts';
import { openSource, writeModelFile } from './source.ts';
import { addWeightsOptions, type WeightsFlags } from './weights_options.ts';

export function addExport(ucgm: Command): void {
  const command = ucgm
    .command('export')
    .description(
      'Writes the averaged weights of a run as one model file (safetensors, f16) that sample and eval take as --from.',
    )
    .requiredOption('--from <folder>', 'run folder')
    .requiredOption('--out <file>', 'file to write, .safetensors');
  addWeightsOptions(command).action(exportRun);
}

function exportRun(options: { from: string; out: string } & WeightsFlags): void {
  prepareFiles([{ flag: '--out', path: options.out, extension: '.safetensors' }], options.from);
  const source = openSource(options.from, options);
  writeModelFile(options.out, source);
  console.log(`${options.out}: ${source.config.model.name}, ${source.label}`);
}

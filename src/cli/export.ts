import type { Command } from 'commander';
import { prepareFiles } from './output.ts';
import { openSource, writeModelFile } from './source.ts';

export function addExport(ucgm: Command): void {
  ucgm
    .command('export')
    .description(
      'Writes the averaged weights of a run as one model file (safetensors, f16) that sample and eval take as --from.',
    )
    .requiredOption('--from <folder>', 'run folder')
    .requiredOption('--out <file>', 'file to write, .safetensors')
    .option('--weights <which>', 'ema or model (default: ema)')
    .action(exportRun);
}

function exportRun(options: { from: string; out: string; weights?: string }): void {
  prepareFiles([{ flag: '--out', path: options.out, extension: '.safetensors' }], options.from);
  const source = openSource(options.from, { weights: options.weights });
  writeModelFile(options.out, source);
  console.log(`${options.out}: ${source.config.model.name}, ${source.label}`);
}

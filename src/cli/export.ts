import type { Command } from 'commander';
import { UsageError } from './failure.ts';
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
  if (!options.out.endsWith('.safetensors'))
    throw new UsageError(`--out ${options.out}`, 'name a file that ends in .safetensors');
  const source = openSource(options.from, options.weights);
  writeModelFile(options.out, source);
  console.log(`${options.out}: ${source.config.model.name}, ${source.label}`);
}

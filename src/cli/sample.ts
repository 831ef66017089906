import type { Command } from 'commander';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { WeightStore } from '../nn/weights.ts';
import { Workspace } from '../tensor/index.ts';
import { bundledModel } from './bundled.ts';
import { weightsNamed } from './export.ts';
import { writeSampleGrid } from './grid.ts';
import { wholeNumber } from './numbers.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { openSource } from './source.ts';

interface SampleOptions extends SamplingFlags {
  from?: string;
  grid: string;
  steps?: number;
  count?: number;
  seed?: number;
  label?: number;
  weights: string;
}

export function addSample(ucgm: Command): void {
  const command = ucgm
    .command('sample')
    .description('Samples images from a model and writes them as one PNG.')
    .option('--from <path>', 'run folder or model file (default: the few-step model of digits that comes along)')
    .requiredOption('--grid <file>', 'PNG to write')
    .option('--steps <n>', 'sampling steps', wholeNumber)
    .option('--count <n>', 'images (default: eight of each class)', wholeNumber)
    .option('--seed <n>', 'seed of the noise (default: 0)', wholeNumber)
    .option('--label <k>', 'one class for all images', wholeNumber)
    .option('--weights <which>', 'ema or model', 'ema');
  addSamplingOptions(command).action(sampleRun);
}

async function sampleRun(options: SampleOptions): Promise<void> {
  const source = openSource(options.from ?? bundledModel('mnist_fewstep'), weightsNamed(options.weights));
  const config = withSampling(source.config, options, options.steps);

  const device = await openNodeDevice();
  const workspace = new Workspace(device);
  const weights = new WeightStore(workspace, source.network).frozen('weights');
  weights.flat.values.write(source.weights);
  const start = performance.now();
  const request = {
    seed: options.seed ?? 0,
    ...(options.count !== undefined && { count: options.count }),
    ...(options.label !== undefined && { label: options.label }),
  };
  const nfe = await writeSampleGrid(workspace, source.network, weights, config, options.grid, request);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${options.grid}: ${source.label}, ${nfe} network passes, ${seconds} s on ${adapterName(device)}`);
  workspace.dispose();
  device.destroy();
}

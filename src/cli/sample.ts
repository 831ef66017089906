import type { Command } from 'commander';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { WeightStore } from '../nn/weights.ts';
import { Workspace } from '../tensor/index.ts';
import { bundledModel } from './bundled.ts';
import { classLabel } from './class_label.ts';
import { UsageError } from './failure.ts';
import { sampleImages, writeSampleGrid } from './grid.ts';
import { LATENT_PICTURE_NOTE } from './latent_picture.ts';
import { writeLatentSamples } from './latent_samples.ts';
import { seedNumber, wholeNumber } from './numbers.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { openSource } from './source.ts';

interface SampleOptions extends SamplingFlags {
  from?: string;
  grid?: string;
  latents?: string;
  steps?: number;
  count?: number;
  seed?: number;
  label?: string;
  weights?: string;
}

export function addSample(ucgm: Command): void {
  const command = ucgm
    .command('sample')
    .description('Samples images from a model and writes them as one PNG; latents also as numbers for a decoder.')
    .option('--from <path>', 'run folder or model file (default: the few-step model of digits that comes along)')
    .option('--grid <file>', 'PNG to write')
    .option('--latents <file>', 'safetensors to write: latents and labels, of a run on latents')
    .option('--steps <n>', 'sampling steps', wholeNumber)
    .option('--count <n>', 'images, all classes in turn (default: eight of each of up to 16)', wholeNumber)
    .option('--seed <n>', 'seed of the noise (default: 0)', seedNumber)
    .option('--label <class>', 'one class for all images: its name or its number')
    .option('--weights <which>', 'of a run: ema or model (default: ema)');
  addSamplingOptions(command).action(sampleRun);
}

async function sampleRun(options: SampleOptions): Promise<void> {
  if (options.grid === undefined && options.latents === undefined)
    throw new UsageError('nothing to write', 'give --grid FILE, or --latents FILE for a run on latents');
  const source = openSource(options.from ?? bundledModel('mnist_fewstep'), options.weights);
  const config = withSampling(source.config, options, options.steps);
  const { latents } = source;
  const label = options.label === undefined ? undefined : classLabel(options.label, config, source.network.numClasses);
  if (options.latents !== undefined && !latents)
    throw new UsageError('--latents: the model was trained on images', 'use --grid');

  const device = await openNodeDevice();
  const workspace = new Workspace(device);
  const weights = new WeightStore(workspace, source.network).frozen('weights');
  weights.flat.values.write(source.weights);
  const start = performance.now();
  const request = {
    seed: options.seed ?? 0,
    ...(options.count !== undefined && { count: options.count }),
    ...(label !== undefined && { label }),
  };
  const sampled = await sampleImages(workspace, source.network, weights, config, request, latents);
  if (options.latents !== undefined) writeLatentSamples(options.latents, sampled);
  if (options.grid !== undefined) {
    writeSampleGrid(options.grid, sampled);
    if (latents) console.log(LATENT_PICTURE_NOTE);
  }
  const files = [options.latents, options.grid].filter((file) => file !== undefined).join(', ');
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${files}: ${source.label}, ${sampled.nfe} network passes, ${seconds} s on ${adapterName(device)}`);
  workspace.dispose();
  device.destroy();
}

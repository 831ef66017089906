import type { Command } from 'commander';
import { adapterName } from '../device/index.ts';
import { openNodeDevice } from '../device/node.ts';
import { mergeConfig, type PartialConfig, parseConfig } from '../io/config.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import { WeightStore } from '../nn/weights.ts';
import { Workspace } from '../tensor/index.ts';
import { UsageError } from './failure.ts';
import { sampleImages, writeSampleGrid } from './grid.ts';
import { LATENT_PICTURE_NOTE } from './latent_picture.ts';
import { latentScaleOf, writeLatentSamples } from './latent_samples.ts';
import { realNumber, wholeNumber } from './train.ts';
import { newestWeights } from './weights.ts';

interface SampleOptions {
  from: string;
  grid?: string;
  latents?: string;
  steps?: number;
  order?: number;
  kappa?: number;
  rho?: number;
  cfg?: number;
  count?: number;
  seed?: number;
  label?: number;
  weights: string;
}

export function addSample(ucgm: Command): void {
  ucgm
    .command('sample')
    .description('Samples images from a run and writes them as one PNG; latents also as numbers for a decoder.')
    .requiredOption('--from <folder>', 'run folder')
    .option('--grid <file>', 'PNG to write')
    .option('--latents <file>', 'safetensors to write: latents and labels, of a run on latents')
    .option('--steps <n>', 'sampling steps', wholeNumber)
    .option('--order <n>', '1 Euler, 2 Heun', wholeNumber)
    .option('--kappa <x>', 'extrapolation ratio', realNumber)
    .option('--rho <x>', 'share of fresh noise a step', realNumber)
    .option('--cfg <x>', 'guidance scale', realNumber)
    .option('--count <n>', 'images (default: eight of each class)', wholeNumber)
    .option('--seed <n>', 'seed of the noise (default: 0)', wholeNumber)
    .option('--label <k>', 'one class for all images', wholeNumber)
    .option('--weights <which>', 'ema or model', 'ema')
    .action(sampleRun);
}

async function sampleRun(options: SampleOptions): Promise<void> {
  if (options.weights !== 'ema' && options.weights !== 'model')
    throw new UsageError(`--weights ${options.weights}`, 'use ema or model');
  if (options.grid === undefined && options.latents === undefined)
    throw new UsageError('nothing to write', 'give --grid FILE, or --latents FILE for a run on latents');
  const run = RunFolder.open(options.from);
  const config = mergeConfig(run.path, parseConfig(run.configText(), run.path), {
    sample: {
      sampling_steps: options.steps,
      sampling_order: options.order,
      extrapol_ratio: options.kappa,
      stochast_ratio: options.rho,
      cfg_scale: options.cfg,
    },
  } as PartialConfig);
  const latents = latentScaleOf(run, config);
  if (options.latents !== undefined && !latents)
    throw new UsageError(`--latents: ${run.path} was trained on images`, 'use --grid');
  const { network, weights: values, step } = newestWeights(run, config.model, options.weights);

  const device = await openNodeDevice();
  const workspace = new Workspace(device);
  const weights = new WeightStore(workspace, network).frozen('weights');
  weights.flat.values.write(values);
  const start = performance.now();
  const request = {
    seed: options.seed ?? 0,
    ...(options.count !== undefined && { count: options.count }),
    ...(options.label !== undefined && { label: options.label }),
  };
  const sampled = await sampleImages(workspace, network, weights, config, request, latents);
  if (options.latents !== undefined) writeLatentSamples(options.latents, sampled);
  if (options.grid !== undefined) {
    writeSampleGrid(options.grid, sampled);
    if (latents) console.log(LATENT_PICTURE_NOTE);
  }
  const files = [options.latents, options.grid].filter((file) => file !== undefined).join(', ');
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${files}: step ${step}, ${sampled.nfe} network passes, ${seconds} s on ${adapterName(device)}`);
  workspace.dispose();
  device.destroy();
}

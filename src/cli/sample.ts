import type { Command } from 'commander';
import { denormaliseLatents } from '../data/latents.ts';
import { adapterName } from '../device/index.ts';
import { precisionNotice } from '../nn/precision_notice.ts';
import { WeightStore } from '../nn/weights.ts';
import { drawParts } from '../run/draw.ts';
import { LATENT_PICTURE_NOTE } from '../run/latent_picture.ts';
import { checkCount, gridColumns, labelsFor, type Sampled } from '../run/samples.ts';
import { checkNetworkPrecision, Workspace } from '../tensor/index.ts';
import { bundledModel } from './bundled.ts';
import { classLabel } from './class_label.ts';
import { UsageError } from './failure.ts';
import { writeLatentSamples } from './latent_samples.ts';
import { countNumber, seedNumber, wholeNumber } from './numbers.ts';
import { NO_TUNED, openTunedDevice } from './open_device.ts';
import { checkApart, checkEmptyFolder, prepareFiles } from './output.ts';
import { checkNpzSize, imageFolder, npzFile, type SampleSink } from './sample_files.ts';
import { writeSampleGrid } from './sample_grid.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { openSource, type Source } from './source.ts';
import { StopSignals } from './stop.ts';
import { addWeightsOptions, type WeightsFlags } from './weights_options.ts';

interface SampleOptions extends SamplingFlags, WeightsFlags {
  from?: string;
  grid?: string;
  images?: string;
  npz?: string;
  latents?: string;
  steps?: number;
  count?: number;
  seed?: number;
  label?: string;
  tuned?: boolean;
}

export function addSample(ucgm: Command): void {
  const command = ucgm
    .command('sample')
    .description(
      'Samples images from a model and writes them as one PNG, as files or as an array; latents for a decoder.',
    )
    .option('--from <path>', 'run folder or model file (default: the few-step model of digits that comes along)')
    .option('--grid <file>', 'PNG to write, of all images')
    .option('--images <folder>', 'new folder to write: a PNG an image (000000.png ...), and labels.csv')
    .option('--npz <file>', 'npz to write: arr_0, images as u8 [N, H, W, C], and arr_1, labels as i64 [N]')
    .option('--latents <file>', 'safetensors to write: latents and labels, of a run on latents')
    .option('--steps <n>', 'sampling steps', wholeNumber)
    .option('--count <n>', 'images, all classes in turn (default: eight of each of up to 16)', countNumber)
    .option('--seed <n>', 'seed of the noise (default: 0)', seedNumber)
    .option('--label <class>', 'one class for all images: its name or its number')
    .option(...NO_TUNED);
  addSamplingOptions(addWeightsOptions(command)).action(sampleRun);
}

async function sampleRun(options: SampleOptions): Promise<void> {
  const { grid, latents: latentFile, images, npz } = options;
  const files = [
    ...(grid === undefined ? [] : [{ flag: '--grid', path: grid, extension: '.png' }]),
    ...(latentFile === undefined ? [] : [{ flag: '--latents', path: latentFile, extension: '.safetensors' }]),
    ...(npz === undefined ? [] : [{ flag: '--npz', path: npz, extension: '.npz' }]),
  ];
  if (files.length === 0 && images === undefined)
    throw new UsageError(
      'nothing to write',
      'give --grid FILE, --images FOLDER or --npz FILE, or --latents FILE for a run on latents',
    );
  const from = options.from ?? bundledModel('mnist_fewstep');
  prepareFiles(files, from);
  if (images !== undefined) checkEmptyFolder('--images', images);
  const source = openSource(from, options);
  const config = withSampling(source.config, options, options.steps);
  const { latents, network } = source;
  const label = options.label === undefined ? undefined : classLabel(options.label, config, network.numClasses);
  const labels = labelsFor(network, { count: options.count, label });
  const form = { shape: network.input, labels };
  checkKind(source, options);
  const { precision = 'f32' } = options;
  checkNetworkPrecision(precision, network);
  if (grid !== undefined || latentFile !== undefined) checkCount(network, labels.length, '--count');
  if (npz !== undefined) checkNpzSize(npz, form);

  const device = await openTunedDevice({ tuned: options.tuned });
  const workspace = new Workspace(device);
  const notice = precisionNotice(precision, workspace.caps);
  if (notice) console.warn(notice);
  const weights = new WeightStore(workspace, network).frozen('weights');
  weights.flat.values.write(source.weights);
  const start = performance.now();
  const sinks = [
    ...(grid === undefined && latentFile === undefined ? [] : [wholeSamples(source, labels, options)]),
    ...(images === undefined ? [] : [imageFolder(images, form)]),
    ...(npz === undefined ? [] : [npzFile(npz, form)]),
  ];
  let nfe = 0;
  const stop = new StopSignals();
  stop.wait(); // for what is written to be discarded
  try {
    const drawing = { labels, seed: options.seed ?? 0, signal: stop.signal, precision };
    for await (const part of drawParts(workspace, network, weights, config, drawing)) {
      for (const sink of sinks) sink.write(part.first, part.samples);
      nfe = part.nfe;
    }
    for (const sink of sinks) sink.close();
  } catch (error) {
    for (const sink of sinks) sink.discard();
    throw error;
  } finally {
    stop.close();
  }
  if (latents && grid !== undefined) console.log(LATENT_PICTURE_NOTE);
  const written = [latentFile, grid, images, npz].filter((path) => path !== undefined).join(', ');
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${written}: ${source.label}, ${nfe} network passes, ${seconds} s on ${adapterName(device)}`);
  await workspace.dispose();
  device.destroy();
}

/** What a model draws, images or latents, decides what can be written. @throws UsageError. */
function checkKind(
  { latents, network, config }: Source,
  { latents: latentFile, images, npz, grid }: SampleOptions,
): void {
  if (latentFile !== undefined && !latents)
    throw new UsageError('--latents: the model was trained on images', 'use --grid, --images or --npz');
  const flag = images !== undefined ? '--images' : npz !== undefined ? '--npz' : undefined;
  if (flag && latents)
    throw new UsageError(`${flag}: the model was trained on latents`, 'use --latents, and a decoder on what it writes');
  const [channels] = network.input;
  if (!latents && channels !== 1 && channels !== 3)
    throw new UsageError(`${flag ?? `--grid ${grid}`}: the model draws ${channels} channels`, 'use a model of images');
  if (images !== undefined) checkApart('--images', images, config.data.name);
}

/** Samples that are kept to their end, for a grid and for latents. */
function wholeSamples(
  source: Source,
  labels: Uint32Array<ArrayBuffer>,
  { grid, latents: latentFile }: SampleOptions,
): SampleSink {
  const { network, latents } = source;
  const [c, h, w] = network.input;
  const samples = new Float32Array(labels.length * c * h * w);
  return {
    write: (first, part) => samples.set(part, first * c * h * w),
    close() {
      if (latents) denormaliseLatents(samples, h * w, latents);
      const sampled: Sampled = {
        samples,
        shape: [c, h, w],
        labels,
        columns: gridColumns(network),
        latents: latents !== undefined,
      };
      if (latentFile !== undefined) writeLatentSamples(latentFile, sampled);
      if (grid !== undefined) writeSampleGrid(grid, sampled);
    },
    discard() {},
  };
}

import type { Command } from 'commander';
import { denormaliseLatents } from '../data/latents.ts';
import { adapterName } from '../device/index.ts';
import { precisionNotice } from '../nn/precision_notice.ts';
import { WeightStore } from '../nn/weights.ts';
import { checkLatents, type PicturedLatents, shown, shownShape } from '../run/decoder.ts';
import { drawTogether } from '../run/draw_together.ts';
import { LATENT_PICTURE_NOTE } from '../run/latent_picture.ts';
import { checkCount, gridColumns, labelsFor, type Sampled } from '../run/samples.ts';
import { checkNetworkPrecision, Workspace } from '../tensor/index.ts';
import { addDecoderOptions, type DecoderFlags, picturedLatents } from './autoencoder.ts';
import { bundledModel } from './bundled.ts';
import { classLabel } from './class_label.ts';
import { UsageError } from './failure.ts';
import { writeLatentSamples } from './latent_samples.ts';
import { countNumber, seedNumber, wholeNumber } from './numbers.ts';
import { NO_TUNED, openTunedDevice } from './open_device.ts';
import { checkApart, checkEmptyFolder, prepareFiles } from './output.ts';
import { placeRanks, ranks, SHARE_DEVICE } from './ranks.ts';
import { checkNpzSize, imageFolder, npzFile, type SampleForm, type SampleSink } from './sample_files.ts';
import { writeSampleGrid } from './sample_grid.ts';
import { addSamplingOptions, type SamplingFlags, withSampling } from './sampling_options.ts';
import { openSource, type Source } from './source.ts';
import { StopSignals } from './stop.ts';
import { addWeightsOptions, type WeightsFlags } from './weights_options.ts';

interface SampleOptions extends SamplingFlags, WeightsFlags, DecoderFlags {
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
  shareDevice?: boolean;
}

export function addSample(ucgm: Command): void {
  const command = ucgm
    .command('sample')
    .description(
      'Samples images from a model and writes them as one PNG, as files or as an array; those of a run on latents are decoded.',
    )
    .option('--from <path>', 'run folder or model file (default: the any-step model of digits that comes along)')
    .option('--grid <file>', 'PNG to write, of all images')
    .option('--images <folder>', 'new folder to write: a PNG an image (000000.png ...), and labels.csv')
    .option('--npz <file>', 'npz to write: arr_0, images as u8 [N, H, W, C], and arr_1, labels as i64 [N]')
    .option('--latents <file>', 'safetensors to write: latents and labels, of a run on latents')
    .option('--steps <n>', 'sampling steps', wholeNumber)
    .option('--count <n>', 'images, all classes in turn (default: eight of each of up to 16)', countNumber)
    .option('--seed <n>', 'seed of the noise (default: 0)', seedNumber)
    .option('--label <class>', 'one class for all images: its name or its number')
    .option(...NO_TUNED)
    .option('--share-device', SHARE_DEVICE);
  addDecoderOptions(addWeightsOptions(command));
  addSamplingOptions(command).action(sampleRun);
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
  const from = options.from ?? bundledModel('mnist_anystep');
  const writes = ranks().rank === 0; // the others draw for it
  if (writes) prepareFiles(files, from);
  if (writes && images !== undefined) checkEmptyFolder('--images', images);
  const source = openSource(from, options);
  const config = withSampling(source.config, options, options.steps);
  const { network } = source;
  const latents = picturedLatents(source.latents, config.data, options);
  const label = options.label === undefined ? undefined : classLabel(options.label, config, network.numClasses);
  const labels = labelsFor(network, { count: options.count, label });
  const form = { shape: shownShape(network.input, latents?.decoder), labels };
  checkKind(source, form, latents, options);
  if (latentFile !== undefined) checkCount(network, labels.length, '--count');
  if (grid !== undefined) checkCount({ input: form.shape }, labels.length, '--count');
  const { precision = 'f32' } = options;
  checkNetworkPrecision(precision, network);
  if (npz !== undefined) checkNpzSize(npz, form);

  const device = await openTunedDevice({ tuned: options.tuned });
  await placeRanks(device, options.shareDevice ?? false);
  const workspace = new Workspace(device);
  const notice = precisionNotice(precision, workspace.caps, network);
  if (notice) console.warn(notice);
  const weights = new WeightStore(workspace, network).frozen('weights');
  weights.flat.values.write(source.weights);
  const start = performance.now();
  const columns = gridColumns(network);
  const isLatent = latents !== undefined && !latents.decoder; // what a grid shows
  const raw =
    latentFile === undefined || !writes
      ? []
      : [
          wholeSamples({ shape: network.input, labels }, { columns, latents: true }, (all) =>
            writeLatentSamples(latentFile, all, latents?.decoder?.key ?? config.data.autoencoder),
          ),
        ];
  const asked = [
    ...(grid === undefined
      ? []
      : [wholeSamples(form, { columns, latents: isLatent }, (all) => writeSampleGrid(grid, all))]),
    ...(images === undefined ? [] : [imageFolder(images, form)]),
    ...(npz === undefined ? [] : [npzFile(npz, form)]),
  ];
  const pictures = writes ? asked : [];
  const sinks = [...raw, ...pictures];
  let nfe = 0;
  const stop = new StopSignals();
  stop.wait(); // for what is written to be discarded
  try {
    const drawing = { labels, seed: options.seed ?? 0, signal: stop.signal, precision };
    for await (const part of drawTogether(workspace, network, weights, config, drawing, ranks())) {
      const { samples, first } = part;
      if (latents) denormaliseLatents(samples, network.input[1] * network.input[2], latents);
      for (const sink of raw) sink.write(first, samples);
      if (pictures.length > 0) {
        const seen = await shown(workspace, samples, network.input, latents?.decoder, stop.signal);
        for (const sink of pictures) sink.write(first, seen);
      }
      nfe = part.nfe;
    }
    for (const sink of sinks) sink.close();
  } catch (error) {
    for (const sink of sinks) sink.discard();
    throw error;
  } finally {
    stop.close();
  }
  if (writes && isLatent && grid !== undefined) console.log(LATENT_PICTURE_NOTE);
  const written = [latentFile, grid, images, npz].filter((path) => path !== undefined).join(', ');
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (writes) console.log(`${written}: ${source.label}, ${nfe} network passes, ${seconds} s on ${adapterName(device)}`);
  await workspace.dispose();
  device.destroy();
}

/** What a model draws decides what can be written. @throws UsageError. */
function checkKind(
  { network, config }: Source,
  { shape: [channels] }: SampleForm,
  latents: PicturedLatents | undefined,
  { latents: latentFile, images, npz, grid }: SampleOptions,
): void {
  if (latentFile !== undefined && !latents)
    throw new UsageError('--latents: the model was trained on images', 'use --grid, --images or --npz');
  const flag = images !== undefined ? '--images' : npz !== undefined ? '--npz' : undefined;
  if (latents?.decoder) checkLatents(latents.decoder, network.input[0]);
  else if (flag && latents)
    throw new UsageError(
      `${flag}: the model was trained on latents of an autoencoder that is not known`,
      'give --vae KEY, or use --latents and a decoder on what it writes',
    );
  if (!latents && channels !== 1 && channels !== 3)
    throw new UsageError(`${flag ?? `--grid ${grid}`}: the model draws ${channels} channels`, 'use a model of images');
  if (images !== undefined) checkApart('--images', images, config.data.name);
}

/** Samples that are kept to their end. */
function wholeSamples(
  { shape, labels }: SampleForm,
  kind: Pick<Sampled, 'columns' | 'latents'>,
  write: (all: Sampled) => void,
): SampleSink {
  const one = shape[0] * shape[1] * shape[2];
  const samples = new Float32Array(labels.length * one);
  return {
    write: (first, part) => samples.set(part, first * one),
    close: () => write({ samples, shape: [...shape], labels, ...kind }),
    discard() {},
  };
}

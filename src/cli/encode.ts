import type { Command } from 'commander';
import { type CroppedPicture, croppedPictures, mirrored } from '../data/cropped_pictures.node.ts';
import { DataError } from '../data/dataset.ts';
import { imageTree } from '../data/image_files.node.ts';
import { LatentShards } from '../data/latent_shards.node.ts';
import { latentStats } from '../data/latent_stats.node.ts';
import { LatentShardWriter } from '../data/latent_writer.node.ts';
import { adapterName } from '../device/index.ts';
import { type Autoencoder, encodePictures, type HostImages } from '../models/autoencoders/autoencoder.ts';
import { openAutoencoder } from '../models/autoencoders/registry.ts';
import { normal, STREAM } from '../rng/philox.ts';
import { firstNotFinite } from '../run/finite.ts';
import { keptPath } from '../run/kept_settings.node.ts';
import { Workspace } from '../tensor/index.ts';
import { autoencoderFile } from './autoencoder.ts';
import { UsageError } from './failure.ts';
import { countNumber, seedNumber } from './numbers.ts';
import { NO_TUNED, openTunedDevice } from './open_device.ts';
import { checkApart, checkEmptyFolder, statOf } from './output.ts';
import { StopSignals } from './stop.ts';

interface EncodeOptions {
  data: string;
  vae: string;
  weights?: string;
  out: string;
  size?: number;
  flip: boolean;
  batch: number;
  seed: number;
  tuned?: boolean;
}

export function addEncode(ucgm: Command): void {
  ucgm
    .command('encode')
    .description('Encodes a folder of images to latent shards, which train takes as --data, and their statistics.')
    .requiredOption('--data <folder>', 'images (PNG, JPEG, WebP), one folder a class')
    .requiredOption('--vae <key>', 'autoencoder: taef2, whose weights come along, or another with --weights')
    .requiredOption('--out <folder>', 'new folder of shards to write')
    .option('--weights <file>', "the autoencoder's weights: safetensors or PyTorch, a config.json beside them is read")
    .option('--size <n>', "square to crop and resize to, as ADM does (default: the images' own size)", countNumber)
    .option('--no-flip', 'leave out the mirror images, which are stored too')
    .option('--batch <n>', 'images at a time', countNumber, 32)
    .option('--seed <n>', 'seed of the noise, for an autoencoder that draws its latents', seedNumber, 0)
    .option(...NO_TUNED)
    .action(encode);
}

async function encode(options: EncodeOptions): Promise<void> {
  const { data, vae, out, size } = options;
  if (!statOf(data)?.isDirectory()) throw new UsageError(`--data ${data} is no folder`, 'give a folder of images');
  checkEmptyFolder('--out', out);
  checkApart('--out', out, data);
  const file = autoencoderFile(vae, options.weights, '--weights');
  const tree = imageTree(data);
  if (tree.classes.length === 0)
    throw new DataError(
      `${data} holds no images${tree.leftOut.line ? `; ${tree.leftOut.line}` : ''}`,
      'give PNG, JPEG or WebP files, those of each class in a folder of their own',
    );
  const device = await openTunedDevice({ tuned: options.tuned });
  const workspace = new Workspace(device);
  const autoencoder = openAutoencoder(workspace, vae, file);
  const classNames = tree.classes.map(({ name }) => name);
  const weights = options.weights === undefined ? undefined : keptPath(out, options.weights);
  const start = performance.now();
  const stop = new StopSignals();
  stop.wait(); // for what is written to be discarded
  let writer: LatentShardWriter | undefined;
  try {
    for await (const batch of batches(croppedPictures(tree, size), options.batch)) {
      const first = writer?.size ?? 0;
      const encoded = await encodeBoth(workspace, autoencoder, batch, { ...options, first, signal: stop.signal });
      const shape = [autoencoder.latentChannels, encoded.height, encoded.width] as const;
      writer ??= new LatentShardWriter(out, shape, { autoencoder: vae, weights, classNames });
      writer.add({ ...encoded, labels: batch.map(({ label }) => label) });
    }
    if (!writer) throw new DataError(`${data} holds no image that can be read; ${tree.leftOut.line}`, 'give others');
    writer.close();
    await tellOf(out, { vae, seconds: (performance.now() - start) / 1000, adapter: adapterName(device) });
    if (tree.leftOut.line !== undefined) console.warn(tree.leftOut.line);
    const { leftOut } = autoencoder;
    if (leftOut.length > 0)
      console.log(`${file?.where}: ${leftOut.length} tensors are of training alone (first ${leftOut[0]})`);
  } catch (error) {
    writer?.discard();
    throw error;
  } finally {
    stop.close();
  }
  await workspace.dispose();
  device.destroy();
}

/** Pictures in groups of `size`, the last one of what is left. */
async function* batches(pictures: AsyncIterable<CroppedPicture>, size: number): AsyncGenerator<CroppedPicture[]> {
  let batch: CroppedPicture[] = [];
  for await (const picture of pictures) {
    batch.push(picture);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

interface Encoding {
  readonly flip: boolean;
  readonly seed: number;
  /** Number of the batch's first picture among all. */
  readonly first: number;
  readonly signal: AbortSignal;
}

/** Latents of pictures, and of their mirror images. @throws UsageError for latents that are not finite. */
async function encodeBoth(
  workspace: Workspace,
  autoencoder: Autoencoder,
  pictures: readonly CroppedPicture[],
  { flip, seed, first, signal }: Encoding,
): Promise<{ latents: Float32Array; flipped?: Float32Array; height: number; width: number }> {
  const { height, width, values } = pictures[0] as CroppedPicture;
  const data = new Float32Array(pictures.length * values.length);
  pictures.forEach((picture, i) => {
    data.set(picture.values, i * values.length);
  });
  const each = (autoencoder.latentChannels * height * width) / autoencoder.downscale ** 2;
  const encodeOne = async (images: HostImages, turn: number) => {
    // A function of the picture's number and the turn alone, whatever the batch.
    const noise = () =>
      Float32Array.from({ length: pictures.length * each }, (_, i) =>
        normal(seed, STREAM.encode, 2 * (first + Math.floor(i / each)) + turn, i % each),
      );
    const control = { signal, ...(autoencoder.latent === 'sample' && { noise: noise() }) };
    const encoded = await encodePictures(workspace, autoencoder, images, control);
    const stray = firstNotFinite(encoded.data);
    if (stray)
      throw new UsageError(
        `the latents of picture ${first + Math.floor(stray.index / each)} hold ${stray.value}`,
        'check the weights of the autoencoder',
      );
    return encoded;
  };
  const images = { batch: pictures.length, height, width };
  const latents = await encodeOne({ ...images, data }, 0);
  const sizes = { height: latents.height, width: latents.width };
  if (!flip) return { latents: latents.data, ...sizes };
  const flipped = await encodeOne({ ...images, data: mirrored(data, width) }, 1);
  return { latents: latents.data, flipped: flipped.data, ...sizes };
}

/** Measures the shards, and says what they hold. */
async function tellOf(
  out: string,
  { vae, seconds, adapter }: { vae: string; seconds: number; adapter: string },
): Promise<void> {
  const shards = await LatentShards.open(out);
  try {
    const { warnings } = await latentStats(shards);
    for (const warning of warnings) console.warn(warning);
    const { size, channels, height, width, numClasses } = shards;
    console.log(
      `${out}: ${size} latents of ${channels} x ${height} x ${width}, ${numClasses} classes, by ${vae}, ${seconds.toFixed(1)} s on ${adapter}`,
    );
  } finally {
    await shards.close();
  }
}

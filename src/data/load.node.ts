import { statSync } from 'node:fs';
import { totalmem } from 'node:os';
import { wholeBatch } from '../rng/shard.ts';
import { datasetBatches, type ResizableBatches } from './batches.ts';
import { DataError, type Dataset, padTo } from './dataset.ts';
import { loadDigits } from './digits.node.ts';
import { loadImageFolder } from './folder.node.ts';
import { isIdxFolder, loadIdxFolder } from './idx.node.ts';
import { LatentBatches, type LatentOptions } from './latent_batches.node.ts';
import { isLatentFolder } from './latent_shards.node.ts';
import type { LatentStats } from './latent_stats.node.ts';
import type { Crop } from './resize.ts';
import { shapesDataset } from './shapes.ts';

/** Which data: a name or a folder, and the square size of the images: those of a folder are resized and cropped to it, all others padded. */
export interface DataRequest {
  readonly name: string;
  readonly size?: number | undefined;
  /** How the images of a folder come to that size: as torchvision resizes (if left out), or as ADM crops, and encode with it. */
  readonly crop?: Crop | undefined;
}

/**
 * Loads `digits` (real handwritten digits), `shapes` (drawn), or a folder: MNIST's idx files, or class folders of images.
 * @throws DataError for a name that is none of these, and for data that cannot be read.
 */
export async function loadDataset({ name, size, crop }: DataRequest): Promise<Dataset> {
  if (isFolder(name) && !isIdxFolder(name)) return loadImageFolder(name, size, crop);
  const dataset = await named(name);
  return size === undefined ? dataset : padTo(dataset, size);
}

/** What a training takes from which data; names as in a run's settings. */
export interface DataSettings extends DataRequest {
  readonly batch_size: number;
  readonly flip?: boolean | undefined;
  readonly num_classes?: number | undefined;
  readonly class_names?: readonly string[] | undefined;
  /** Latents: take each channel to mean 0 and standard deviation 1. */
  readonly latent_norm?: boolean | undefined;
  /** Latents: factor on the values after that. */
  readonly latent_multiplier?: number | undefined;
}

/** What a data section asks for: images in memory, or latents that stay on the disk. */
export type OpenedData = ResizableBatches | LatentBatches;

/**
 * Opens the batches that a configuration's data section and a run's seed ask for; see loadDataset, or a folder of latent shards.
 * @param stats statistics of latents that the run began with, where it is resumed.
 * @param part of every step's batch of data.batch_size samples those that one of several devices has; all if left out.
 * @param scaleOf the scaling that belongs to an autoencoder, for latents whose settings say nothing of theirs.
 * @throws DataError or IoError for data that cannot be read, and for settings that do not go with it.
 */
export async function openBatches(
  data: DataSettings,
  seed: number,
  stats?: LatentStats,
  part?: { readonly first: number; readonly size: number },
  scaleOf?: LatentOptions['scaleOf'],
): Promise<OpenedData> {
  const {
    name,
    size,
    flip,
    class_names: classNames,
    latent_norm: normalise,
    latent_multiplier: multiplier,
    num_classes: numClasses,
  } = data;
  const whole = data.batch_size;
  const order = {
    seed,
    batchSize: part?.size ?? whole,
    shard: part ? { first: part.first, of: whole } : wholeBatch(whole),
    ...(numClasses !== undefined && { numClasses }),
  };
  if (isFolder(name) && !isIdxFolder(name) && isLatentFolder(name)) {
    const latents = await LatentBatches.open(name, {
      ...order,
      ...(normalise !== undefined && { normalise }),
      ...(multiplier !== undefined && { multiplier }),
      ...(stats && { stats }),
      ...(scaleOf && { scaleOf }),
      ...(classNames && { classNames }),
    });
    const misfit = latentMisfit(data, latents);
    if (!misfit) return latents;
    await latents.close();
    throw misfit;
  }
  const stray = normalise !== undefined ? 'latent_norm' : multiplier !== undefined ? 'latent_multiplier' : undefined;
  if (stray) {
    throw new DataError(
      `data.${stray} is set, but ${name} holds no latents`,
      `leave data.${stray} out, or give a folder of latent shards`,
    );
  }
  const dataset = await loadDataset({ name, ...(size !== undefined && { size }) });
  checkBatch(dataset, order.batchSize);
  return datasetBatches(dataset, { ...order, flip: flip ?? false });
}

/** What of a data section does not go with its latents. */
function latentMisfit({ name, size, flip, class_names: names }: DataSettings, latents: LatentBatches) {
  const { height, width, numClasses } = latents;
  if (size !== undefined && (size !== height || size !== width)) {
    return new DataError(
      `data.size is ${size}, the latents of ${name} are ${height}x${width}`,
      'leave data.size out: latents are neither padded nor resized',
    );
  }
  if (flip) {
    return new DataError(
      `data.flip is set, but ${name} holds latents`,
      'leave data.flip out: shards with latents_flip are mirrored by them',
    );
  }
  if (names && names.length > numClasses) {
    return new DataError(
      `data.class_names are ${names.length}, ${name} has ${numClasses} classes`,
      'leave data.class_names out, or set data.num_classes',
    );
  }
  return undefined;
}

/** @throws DataError for a batch of floats that the machine's memory does not hold. */
function checkBatch({ channels, height, width }: Dataset, batch: number): void {
  const bytes = 4 * batch * channels * height * width;
  if (bytes <= totalmem()) return;
  throw new DataError(
    `a batch of ${batch} images of ${channels}x${height}x${width} takes ${(bytes / 2 ** 30).toFixed(0)} GiB`,
    'set data.size or data.batch_size lower',
  );
}

const isFolder = (name: string): boolean => statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;

async function named(name: string): Promise<Dataset> {
  if (name === 'digits') return loadDigits();
  if (name === 'shapes') return shapesDataset();
  if (!isFolder(name)) {
    throw new DataError(
      `--data ${name} is no dataset`,
      'use digits, shapes, or a folder of images (PNG, JPEG, WebP), MNIST idx files or latent shards',
    );
  }
  return loadIdxFolder(name);
}

import { createHash } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { DTYPE_BYTES, toFloat32 } from '../io/dtypes.ts';
import { type HeaderOfFile, readSafetensorsHeader } from '../io/safetensors.node.ts';
import type { TensorSpan } from '../io/safetensors.ts';
import { DataError } from './dataset.ts';
import { FilePool, type KnownFile } from './file_pool.node.ts';
import { type LatentOrigin, originOf } from './latent_origin.ts';

/** The cache of the statistics, which lies beside the shards and is none. */
export const LATENT_STATS_FILE = 'latents_stats.safetensors';

/** Samples of one batch that are read at the same time: enough to keep a disk busy. */
const READERS = 16;

/** Labels are read as floats, which hold every whole number up to here. */
const MAX_LABEL = 2 ** 24;

const LATENT_DTYPES: readonly string[] = ['F32', 'F16', 'BF16'];

interface Shard extends KnownFile {
  /** Index of its first sample among those of all shards. */
  readonly first: number;
  readonly count: number;
  readonly latents: TensorSpan;
  /** Of the mirrored images, where there are such. */
  readonly flipped: TensorSpan | undefined;
  readonly labels: TensorSpan;
  readonly origin: LatentOrigin;
}

/** Names of the shards in a folder, in order. */
function shardNames(path: string): string[] {
  return readdirSync(path)
    .filter((name) => name.endsWith('.safetensors') && !name.startsWith('.') && name !== LATENT_STATS_FILE)
    .sort();
}

/** True when the folder holds safetensors files, which are then shards of latents. */
export function isLatentFolder(path: string): boolean {
  return shardNames(path).length > 0;
}

/**
 * A folder of safetensors shards with `latents` [N, C, H, W], `latents_flip` (the same of the mirrored images; may be absent)
 * and `labels` [N]. Headers and labels are held in memory; latents are read from the disk sample by sample.
 */
export class LatentShards {
  readonly path: string;
  readonly name: string;
  /** Samples of all shards. */
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly numClasses: number;
  /** [size], each below numClasses. */
  readonly labels: Uint32Array;
  /** What the shards say of how they were made. */
  readonly origin: LatentOrigin;
  readonly files: FilePool;
  readonly #shards: readonly Shard[];

  private constructor(path: string, shards: readonly Shard[], labels: Uint32Array, classes: number, files: FilePool) {
    const { latents, first, count, origin } = shards.at(-1) as Shard;
    this.path = path;
    this.name = basename(resolve(path));
    this.size = first + count;
    [, this.channels, this.height, this.width] = latents.shape as [number, number, number, number];
    this.numClasses = classes;
    this.labels = labels;
    this.origin = origin;
    this.files = files;
    this.#shards = shards;
    this.fingerprint = fingerprintOf(shards);
  }

  /**
   * Reads the headers and labels of a folder's shards, in order of their names.
   * @param numClasses classes there are; the shards' class names or the greatest label decide if left out.
   * @throws DataError or IoError naming the shard that does not fit.
   */
  static async open(path: string, numClasses?: number, files = new FilePool()): Promise<LatentShards> {
    const shards = describeShards(path);
    const { first, count, origin } = shards.at(-1) as Shard;
    const classes = numClasses ?? origin.classNames?.length;
    if (first + count === 0) throw new DataError(`${path} holds no samples`, 'give shards of at least one sample');
    try {
      const labels = new Uint32Array(first + count);
      let greatest = 0;
      for (const shard of shards) greatest = Math.max(greatest, await readLabels(files, shard, labels, classes));
      return new LatentShards(path, shards, labels, classes ?? greatest + 1, files);
    } catch (error) {
      await files.close();
      throw error;
    }
  }

  /** Names, sizes and some bytes of the shards as one word, as they were on opening: changes when the data does. */
  readonly fingerprint: string;

  /**
   * Reads samples into `out`, [indices.length, C, H, W]: that of the mirrored image where `flip(i)` says so and the shard has it.
   * @throws DataError naming the shard and the sample that cannot be read or is not finite; the signal's reason when aborted.
   */
  async read(
    indices: Uint32Array,
    flip: (i: number) => boolean,
    out: Float32Array<ArrayBuffer>,
    signal?: AbortSignal,
  ): Promise<void> {
    const values = this.channels * this.height * this.width;
    let next = 0;
    const reader = async (): Promise<void> => {
      while (next < indices.length) {
        signal?.throwIfAborted();
        const i = next++;
        await this.#sample(indices[i] as number, flip(i), out.subarray(i * values, (i + 1) * values));
      }
    };
    const readers = Array.from({ length: READERS }, () =>
      reader().catch((error) => {
        next = indices.length; // the others stop: nobody waits for this batch any more
        throw error;
      }),
    );
    // All end before the first failure is told, so that none still writes into `out`.
    const failed = (await Promise.allSettled(readers)).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Closes the files. */
  async close(): Promise<void> {
    await this.files.close();
  }

  async #sample(index: number, flip: boolean, out: Float32Array<ArrayBuffer>): Promise<void> {
    const shard = this.#shardOf(index);
    const span = (flip && shard.flipped) || shard.latents;
    const bytes = out.length * (DTYPE_BYTES.get(span.dtype) as number);
    const position = span.begin + (index - shard.first) * bytes;
    if (span.dtype === 'F32') {
      await this.files.read(shard, new Uint8Array(out.buffer, out.byteOffset, out.byteLength), position);
    } else {
      const data = new Uint8Array(bytes);
      await this.files.read(shard, data, position);
      out.set(toFloat32({ dtype: span.dtype, data }));
    }
    const stray = firstNotFinite(out);
    if (stray !== undefined) {
      throw new DataError(`${shard.path}: sample ${index - shard.first} holds ${stray}`, 'encode its image again');
    }
  }

  #shardOf(index: number): Shard {
    let [low, high] = [0, this.#shards.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#shards[middle] as Shard).first <= index) low = middle;
      else high = middle - 1;
    }
    return this.#shards[low] as Shard;
  }
}

/** Parts of a file that are looked at, evenly spread, the first and the last bytes among them; and bytes of each. */
const [PARTS, PART] = [16, 4096];

function fingerprintOf(shards: readonly Shard[]): string {
  const hash = createHash('sha256');
  const bytes = new Uint8Array(PART);
  for (const { path, fileSize } of shards) {
    hash.update(`${basename(path)} ${fileSize}\n`);
    const file = openSync(path, 'r');
    try {
      const last = Math.max(0, fileSize - PART);
      for (let part = 0; part < PARTS; part++) {
        const length = readSync(file, bytes, 0, PART, Math.floor((last * part) / (PARTS - 1)));
        hash.update(bytes.subarray(0, length));
      }
    } finally {
      closeSync(file);
    }
  }
  return hash.digest('hex');
}

/** The first NaN or infinity; undefined where there is none. */
function firstNotFinite(values: Float32Array): number | undefined {
  let sum = 0; // of v - v, which is NaN for both: one pass without branches, as every value of a run goes through here
  for (let i = 0; i < values.length; i++) sum += (values[i] as number) - (values[i] as number);
  return sum === 0 ? undefined : values.find((value) => !Number.isFinite(value));
}

function describeShards(path: string): Shard[] {
  const shards: Shard[] = [];
  let first = 0;
  for (const name of shardNames(path)) {
    const file = join(path, name);
    const shard = { path: file, first, ...describeShard(file, readSafetensorsHeader(file)) };
    const [before, now] = [shards[0]?.latents.shape.slice(1), shard.latents.shape.slice(1)];
    if (before && String(before) !== String(now)) {
      throw new DataError(
        `${file} holds latents of [${now}], ${shards[0]?.path} of [${before}]`,
        'give all shards one size of latents',
      );
    }
    const [made, same] = [shards[0]?.origin, shard.origin];
    if (made && JSON.stringify(made) !== JSON.stringify(same)) {
      throw new DataError(
        `${file} is of ${same.autoencoder ?? 'another autoencoder'} or of other classes than ${shards[0]?.path}`,
        'encode all pictures at once, by one autoencoder',
      );
    }
    shards.push(shard);
    first += shard.count;
  }
  if (shards.length === 0) throw new DataError(`${path} holds no shards`, 'give a folder of *.safetensors files');
  return shards;
}

function describeShard(file: string, header: HeaderOfFile): Omit<Shard, 'path' | 'first'> {
  const latents = latentsIn(file, header, 'latents');
  if (!latents) {
    throw new DataError(
      `${file} has no tensor latents`,
      'give shards with latents [N, C, H, W], latents_flip and labels [N]',
    );
  }
  const flipped = latentsIn(file, header, 'latents_flip');
  if (flipped && String(flipped.shape) !== String(latents.shape)) {
    throw new DataError(
      `${file}: latents_flip is [${flipped.shape}], latents [${latents.shape}]`,
      'give both the same shape, or leave latents_flip out',
    );
  }
  const labels = header.tensors.get('labels');
  const count = latents.shape[0] as number;
  if (!labels) throw new DataError(`${file} has no tensor labels`, `add labels [${count}], one a sample`);
  if (labels.shape.length !== 1 || labels.shape[0] !== count) {
    throw new DataError(`${file}: labels are [${labels.shape}] for ${count} samples`, `give labels [${count}]`);
  }
  const origin = originOf(header.metadata, file);
  return { fileSize: header.fileSize, count, latents, flipped, labels, origin };
}

function latentsIn(file: string, header: HeaderOfFile, name: string): TensorSpan | undefined {
  const span = header.tensors.get(name);
  if (!span) return undefined;
  if (span.shape.length !== 4 || span.shape.slice(1).includes(0)) {
    throw new DataError(`${file}: ${name} is [${span.shape}]`, 'give latents of shape [N, C, H, W]');
  }
  if (!LATENT_DTYPES.includes(span.dtype)) {
    throw new DataError(`${file}: ${name} is ${span.dtype}`, `give latents of ${LATENT_DTYPES.join(', ')}`);
  }
  return span;
}

/** Puts a shard's labels in their place among all; returns the greatest. */
async function readLabels(files: FilePool, shard: Shard, out: Uint32Array, numClasses?: number): Promise<number> {
  const { begin, end, dtype } = shard.labels;
  const data = new Uint8Array(end - begin);
  await files.read(shard, data, begin);
  let greatest = 0;
  for (const [i, label] of toFloat32({ dtype, data }).entries()) {
    const where = `${shard.path}: label ${label} of sample ${i}`;
    if (!Number.isInteger(label) || label < 0 || label >= MAX_LABEL) {
      throw new DataError(`${where} is no class`, `give whole numbers from 0 to ${MAX_LABEL - 1}`);
    }
    if (numClasses !== undefined && label >= numClasses) {
      throw new DataError(`${where} is outside the ${numClasses} classes`, 'set data.num_classes to what the data has');
    }
    greatest = Math.max(greatest, label);
    out[shard.first + i] = label;
  }
  return greatest;
}

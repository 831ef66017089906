import { FixableError } from '../kernel/errors.ts';

/** A dataset that cannot be read or used: what is wrong, and what to do about it, in one line. */
export class DataError extends FixableError {
  override readonly name = 'DataError';
}

/** Labelled images of one size. Every implementation is immutable: image(i) gives the same values at every call. */
export interface Dataset {
  readonly name: string;
  /** Number of images, at least 1. */
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly numClasses: number;
  /** numClasses names; labels index them. */
  readonly classNames: string[];
  /** [size], each below numClasses. */
  readonly labels: Uint32Array;
  /** What was left out on loading, by kind, in one line. */
  readonly notice?: string;
  /** Changes when the data does; none where it cannot. */
  readonly fingerprint?: string;
  /** Writes image `index` as [channels, height, width] in -1..1 into `out` from `offset` on. Throws DataError out of bounds. */
  image(index: number, out: Float32Array, offset: number): void;
}

/** Throws DataError unless `index` is an image of the dataset and all its values fit into `out` at `offset`. */
export function checkImageRange(
  dataset: Pick<Dataset, 'name' | 'size' | 'channels' | 'height' | 'width'>,
  index: number,
  out: Float32Array,
  offset: number,
): void {
  if (!Number.isInteger(index) || index < 0 || index >= dataset.size) {
    throw new DataError(`${dataset.name} has no image ${index}`, `give a whole number from 0 to ${dataset.size - 1}`);
  }
  const values = dataset.channels * dataset.height * dataset.width;
  if (!Number.isInteger(offset) || offset < 0 || offset + values > out.length) {
    throw new DataError(
      `${dataset.name}: ${values} values at offset ${offset} do not fit into an array of ${out.length}`,
      'make it longer',
    );
  }
}

/** What an ArrayDataset is made of: u8 images [n, channels, height, width] and one label per image. */
export interface ImageArrays {
  name: string;
  channels: number;
  height: number;
  width: number;
  classNames: string[];
  labels: Uint32Array;
  images: Uint8Array;
  notice?: string;
  fingerprint?: string;
}

/** Images held in memory as u8 (a quarter of f32); 0..255 becomes -1..1 on reading. */
export class ArrayDataset implements Dataset {
  readonly name: string;
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly numClasses: number;
  readonly classNames: string[];
  readonly labels: Uint32Array;
  readonly notice?: string;
  readonly fingerprint?: string;
  readonly #images: Uint8Array;

  /** Throws DataError when there is no image, when the arrays' lengths disagree or when a label names no class. */
  constructor(arrays: ImageArrays) {
    const { name, channels, height, width, classNames, labels, images } = arrays;
    for (const [key, value] of Object.entries({ channels, height, width })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new DataError(`${name}: ${key} is ${value}`, `give images of at least 1 ${key}`);
      }
    }
    if (labels.length === 0) throw new DataError(`${name} holds no images`, 'give a dataset of at least one image');
    const expected = labels.length * channels * height * width;
    if (images.length !== expected) {
      throw new DataError(
        `${name}: ${images.length} pixel values for ${labels.length} images of ${channels}x${height}x${width}`,
        `give ${expected} values and one label per image`,
      );
    }
    const stray = labels.findIndex((label) => label >= classNames.length);
    if (stray >= 0) {
      throw new DataError(
        `${name}: label ${labels[stray]} of image ${stray} is outside the ${classNames.length} classes`,
        'name every class that the labels use',
      );
    }
    this.name = name;
    this.size = labels.length;
    this.channels = channels;
    this.height = height;
    this.width = width;
    this.numClasses = classNames.length;
    this.classNames = classNames;
    this.labels = labels;
    if (arrays.notice !== undefined) this.notice = arrays.notice;
    if (arrays.fingerprint !== undefined) this.fingerprint = arrays.fingerprint;
    this.#images = images;
  }

  image(index: number, out: Float32Array, offset: number): void {
    checkImageRange(this, index, out, offset);
    const values = this.channels * this.height * this.width;
    const base = index * values;
    for (let i = 0; i < values; i++) out[offset + i] = this.#images[base + i]! / 127.5 - 1;
  }
}

/**
 * The dataset with every image centred on a square of `size` whose border is -1 (MNIST's 28 -> 32, so that patches divide it).
 * An odd border puts the extra line right and below. Returns the dataset itself when it already has that size; throws
 * DataError when the images are larger.
 */
export function padTo(dataset: Dataset, size: number): Dataset {
  const { channels, height, width } = dataset;
  if (!Number.isInteger(size) || size < Math.max(height, width)) {
    throw new DataError(
      `size ${size} does not hold the ${height}x${width} images of ${dataset.name}`,
      `choose a whole size of at least ${Math.max(height, width)}`,
    );
  }
  if (height === size && width === size) return dataset;
  const top = (size - height) >> 1;
  const left = (size - width) >> 1;
  const small = new Float32Array(channels * height * width);
  const padded: Dataset = {
    name: dataset.name,
    size: dataset.size,
    channels,
    height: size,
    width: size,
    numClasses: dataset.numClasses,
    classNames: dataset.classNames,
    labels: dataset.labels,
    ...(dataset.fingerprint !== undefined && { fingerprint: dataset.fingerprint }),
    image(index, out, offset) {
      checkImageRange(padded, index, out, offset);
      dataset.image(index, small, 0);
      out.fill(-1, offset, offset + channels * size * size);
      for (let row = 0; row < channels * height; row++) {
        const channel = Math.floor(row / height);
        const y = top + (row % height);
        const line = small.subarray(row * width, (row + 1) * width);
        out.set(line, offset + (channel * size + y) * size + left);
      }
    },
  };
  return padded;
}

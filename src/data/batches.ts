import { type Shard, wholeBatch } from '../rng/shard.ts';
import { DataError, type Dataset } from './dataset.ts';
import { isFlipped, type LatentScale } from './latents.ts';
import { batchIndices, firstPosition } from './order.ts';

/** What one training step takes from the data. */
export interface DataBatch {
  /** [B, C, H, W]. */
  readonly x: Float32Array<ArrayBuffer>;
  /** [B]. */
  readonly labels: Uint32Array<ArrayBuffer>;
}

/** Batches of a training run. Each is a function of the step, so that a resumed run gets the same. */
export interface BatchSource {
  readonly name: string;
  /** Items an epoch. */
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly numClasses: number;
  /** For latents: how they were scaled. */
  readonly latents?: LatentScale;
  /** Of the first classes, where they are known. */
  readonly classNames?: readonly string[];
  /** Changes when the data does; none where it cannot, and for latents, whose statistics have it. */
  readonly fingerprint?: string;
  /** What was left out on loading, by kind, in one line. */
  readonly notice?: string;
  /** The batch of a step, from 0. @throws DataError when the data cannot be read. */
  batch(step: number): Promise<DataBatch>;
  /** Ends all reading; resolves when none is under way. */
  close(): Promise<void>;
}

/** Which batches are taken from a dataset. */
export interface BatchOrder {
  readonly seed: number;
  /** Items a batch, of the part where there is one. */
  readonly batchSize: number;
  /** The part of every step's batch that is asked for, where several devices share it; the whole if left out. */
  readonly shard?: Shard;
  /** Classes there are, if more than the dataset names. */
  readonly numClasses?: number;
  /** Of a dataset: mirror every other image, by chance. */
  readonly flip?: boolean;
}

/** Batches that can be cut otherwise once the data is open. */
export interface ResizableBatches extends BatchSource {
  /** The same data in whole batches of another size. It takes this one's place: one of the two is closed, and this one gives no more. */
  ofSize(batchSize: number): ResizableBatches;
}

/** Batches of a dataset in memory. @throws DataError for fewer classes than the dataset has. */
export function datasetBatches(dataset: Dataset, order: BatchOrder): ResizableBatches {
  const { seed, batchSize, numClasses, flip, shard } = order;
  const { name, size, channels, height, width } = dataset;
  if (numClasses !== undefined && numClasses < dataset.numClasses) {
    throw new DataError(
      `${name} has ${dataset.numClasses} classes, data.num_classes is ${numClasses}`,
      `set data.num_classes to ${dataset.numClasses} or leave it out`,
    );
  }
  return {
    name,
    size,
    channels,
    height,
    width,
    numClasses: numClasses ?? dataset.numClasses,
    classNames: dataset.classNames,
    ...(dataset.fingerprint !== undefined && { fingerprint: dataset.fingerprint }),
    ...(dataset.notice !== undefined && { notice: dataset.notice }),
    batch: async (step) => nextBatch(dataset, seed, step, batchSize, flip, shard),
    ofSize: (size) => datasetBatches(dataset, { ...order, batchSize: size, shard: wholeBatch(size) }),
    close: async () => {},
  };
}

/**
 * The batch of a step, or a part of it: a function of (seed, step) and the samples' places in the whole batch alone; with `flip` each image
 * mirrored or not by a fair coin.
 */
export function nextBatch(
  dataset: Dataset,
  seed: number,
  step: number,
  size: number,
  flip = false,
  shard?: Shard,
): DataBatch {
  const first = firstPosition(step, size, shard);
  const pixels = dataset.channels * dataset.height * dataset.width;
  const x = new Float32Array(size * pixels);
  const labels = new Uint32Array(size);
  batchIndices(seed, dataset.size, step, size, shard).forEach((index, i) => {
    dataset.image(index, x, i * pixels);
    if (flip && isFlipped(seed, first + i)) {
      for (let row = i * pixels; row < (i + 1) * pixels; row += dataset.width)
        x.subarray(row, row + dataset.width).reverse();
    }
    labels[i] = dataset.labels[index] as number;
  });
  return { x, labels };
}

import { Tape } from '../autograd/tape.ts';
import type { FeatureNetwork } from '../models/features/feature_network.ts';
import type { Workspace } from '../tensor/index.ts';
import { MetricError } from './errors.ts';

/** Many images of one size, in -1..1. */
export interface ImageSource {
  readonly size: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Writes image `index` as [channels, height, width] into `out` from `offset` on. */
  image(index: number, out: Float32Array, offset: number): void;
}

/** Work that a signal ends between two of its parts; it then rejects with the signal's reason. */
export interface Interruptible {
  readonly signal?: AbortSignal | undefined;
}

/** Features of images, and the classes that the network sees in them. */
export interface Embedding {
  /** [n, dim]. */
  readonly features: Float32Array<ArrayBuffer>;
  /** [n]; undefined where the network does not classify. */
  readonly classes?: Uint32Array;
}

const BATCH = 250;

/** @throws MetricError for images that a feature network cannot take. */
export function checkFits(network: FeatureNetwork, images: Pick<ImageSource, 'channels' | 'height' | 'width'>): void {
  const [channels, height, width] = network.input;
  const fits =
    network.fit === 'crop'
      ? images.channels === channels && images.height >= height && images.width >= width
      : images.channels === channels || images.channels === 1;
  if (!fits)
    throw new MetricError(
      `the images are ${images.channels} x ${images.height} x ${images.width}, the feature network takes ${channels} x ${height} x ${width}`,
      'give a feature network made for these images',
    );
}

/**
 * Features of all images. Values are clamped to -1..1 and images brought to the network's size, see FeatureNetwork.fit. @throws MetricError for images that do not fit.
 */
export async function embed(
  workspace: Workspace,
  network: FeatureNetwork,
  images: ImageSource,
  { signal }: Interruptible = {},
): Promise<Embedding> {
  checkFits(network, images);
  const [channels, height, width] = network.input;
  const crops = network.fit === 'crop';
  const place = crops ? cropped : resized;
  const most = network.batch ?? BATCH;
  const features = new Float32Array(images.size * network.dim);
  let classes: Uint32Array | undefined;
  const one = new Float32Array(channels * images.height * images.width);
  for (let first = 0; first < images.size; first += most) {
    const batch = Math.min(most, images.size - first);
    const pixels = new Float32Array(batch * channels * height * width);
    for (let i = 0; i < batch; i++) {
      images.image(first + i, one, 0);
      place(one, images, pixels.subarray(i * channels * height * width), network.input);
    }
    if (pixels.some(Number.isNaN))
      throw new MetricError('images are not numbers', 'look at the samples: the model may have diverged');
    signal?.throwIfAborted();
    const out = await workspace.task(async () => {
      workspace.beginStep();
      const tape = new Tape(workspace, { record: false });
      const x = tape.alloc(batch, height, width, channels); // [B, H, W, C]
      workspace.stream.write(x, pixels);
      const { features, logits } = network.forward(tape, x);
      return { features: await workspace.read(features), logits: logits && (await workspace.read(logits)) };
    });
    features.set(out.features, first * network.dim);
    if (!out.logits) continue;
    const numClasses = out.logits.length / batch;
    classes ??= new Uint32Array(images.size);
    for (let i = 0; i < batch; i++)
      classes[first + i] = largest(out.logits.subarray(i * numClasses, (i + 1) * numClasses));
  }
  return { features, ...(classes && { classes }) };
}

/** The centre of one image [C, H, W], clamped, as [h, w, C]. */
function cropped(
  from: Float32Array,
  image: Pick<ImageSource, 'channels' | 'height' | 'width'>,
  to: Float32Array,
  [channels, height, width]: FeatureNetwork['input'],
): void {
  const [top, left] = [(image.height - height) >> 1, (image.width - width) >> 1];
  let at = 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let c = 0; c < channels; c++) {
        const value = from[(c * image.height + top + y) * image.width + left + x] as number;
        to[at++] = Math.min(1, Math.max(-1, value));
      }
}

/** One image [C, H, W] rounded to 8 bits and resized to [h, w, C]: bilinear, pixel centres aligned, no antialiasing. */
function resized(
  from: Float32Array,
  image: Pick<ImageSource, 'channels' | 'height' | 'width'>,
  to: Float32Array,
  [channels, height, width]: FeatureNetwork['input'],
): void {
  const bytes = from.map((v) => Math.round((Math.min(1, Math.max(-1, v)) + 1) * 127.5) / 127.5 - 1);
  const rows = taps(image.height, height);
  const cols = taps(image.width, width);
  let at = 0;
  for (const row of rows)
    for (const col of cols)
      for (let c = 0; c < channels; c++) {
        const plane = Math.min(c, image.channels - 1) * image.height;
        const pixel = (y: number, x: number) => bytes[(plane + y) * image.width + x] as number;
        const upper = pixel(row.low, col.low) * (1 - col.share) + pixel(row.low, col.high) * col.share;
        const lower = pixel(row.high, col.low) * (1 - col.share) + pixel(row.high, col.high) * col.share;
        to[at++] = upper * (1 - row.share) + lower * row.share;
      }
}

/** The two source positions of every target position along one axis, and the share of the second. */
function taps(source: number, target: number): { low: number; high: number; share: number }[] {
  return Array.from({ length: target }, (_, i) => {
    const at = Math.max(0, ((i + 0.5) * source) / target - 0.5);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, source - 1), share: at - low };
  });
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

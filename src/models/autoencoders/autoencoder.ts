import { Tape } from '../../autograd/tape.ts';
import type { Tensor, Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';

/** How a network sees latents: (latent - mean) / std * multiplier, by channel. */
export interface FixedScale {
  /** [C]. */
  readonly mean: readonly number[];
  /** [C]. */
  readonly std: readonly number[];
  readonly multiplier: number;
}

/**
 * A trained way from pictures to latents and back, its weights on the device. Pictures are RGB in -1..1, latents the raw ones, before
 * any scaling; both channel-first, of any size that `downscale` divides. No ops are kept on a tape that does not record, and tensors of
 * the way are freed as it goes.
 */
export interface Autoencoder {
  readonly key: string;
  /** C. */
  readonly latentChannels: number;
  /** f: pixels of a picture's side for one of a latent's. */
  readonly downscale: number;
  /**
   * What a latent is of what `encode` gives: `latent` all of it; `mean`, or `sample` = mean + std noise, of a normal distribution, of which
   * it gives mean and log-variance.
   */
  readonly latent: 'latent' | 'mean' | 'sample';
  /** Scaling that belongs to the weights; where there is none, take statistics of the data's latents. */
  readonly scale?: FixedScale;
  /** Numbers of the largest tensor of its way for each pixel of a picture. */
  readonly numbersPerPixel: number;
  /** Tensors of its file that it has no use for. */
  readonly leftOut: readonly string[];
  /** pictures [B, 3, H, W] -> latents [B, C, H/f, W/f]; or mean and log-variance, side by side, [B, 2C, H/f, W/f]. */
  encode(tape: Tape, pictures: Tensor): Tensor;
  /** latents [B, C, h, w] -> pictures [B, 3, f h, f w], about -1..1: not clamped. */
  decode(tape: Tape, latents: Tensor): Tensor;
  /** Frees the weights. */
  free(): void;
}

/** Many images or latents of one size on the host, [B, channels, height, width] flattened. */
export interface HostImages {
  readonly data: Float32Array<ArrayBuffer>;
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/** How pictures are encoded or latents decoded. */
export interface CodingControl {
  /** Ends it between two passes; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Pictures a pass; as many as fit well if left out. */
  readonly atOnce?: number | undefined;
}

const PICTURE_CHANNELS = 3;
/** Bytes of the largest tensor that a pass is to have where it may have fewer pictures. */
const COMFORTABLE_BYTES = 64 * 2 ** 20;
const MOST_AT_ONCE = 64;

/** Log-variances are clamped to these before anything else is done with them, as the reference does. */
const LOG_VARIANCE = [-30, 20] as const;

/**
 * Latents of pictures in -1..1, [B, 3, H, W] -> [B, C, H/f, W/f].
 * @param control noise: standard normal numbers, as many as the latents; needed where `latent` is `sample`.
 * @throws ModelError for pictures of a size that `downscale` does not divide, and for missing noise; the signal's reason.
 */
export async function encodePictures(
  workspace: Workspace,
  autoencoder: Autoencoder,
  pictures: HostImages,
  control: CodingControl & { noise?: Float32Array } = {},
): Promise<HostImages> {
  const { latentChannels, downscale, latent } = autoencoder;
  const { batch, height, width } = pictures;
  checkCount('pictures', pictures, PICTURE_CHANNELS);
  if (height % downscale !== 0 || width % downscale !== 0)
    throw new ModelError(
      `${autoencoder.key} takes pictures of whole ${downscale} x ${downscale} squares, these are ${width} x ${height}`,
      `crop or resize them to multiples of ${downscale}`,
    );
  const { noise } = control;
  const each = (latentChannels * height * width) / downscale ** 2;
  if (latent === 'sample' && noise?.length !== batch * each)
    throw new ModelError(
      `${autoencoder.key} draws latents, with ${noise?.length ?? 'no'} numbers of noise`,
      `give ${batch * each} standard normal numbers`,
    );
  const data = new Float32Array(batch * each);
  await passes(workspace, autoencoder, { ...pictures, pixels: height * width }, control, {
    channels: PICTURE_CHANNELS,
    run: (tape, x) => autoencoder.encode(tape, x),
    take(given, first, count) {
      const to = data.subarray(first * each, (first + count) * each);
      if (latent === 'latent') to.set(given);
      else takeNormal(given, each, latent === 'sample' ? noise?.subarray(first * each) : undefined, to);
    },
  });
  return { data, batch, height: height / downscale, width: width / downscale };
}

/** Pictures of raw latents, [B, C, h, w] -> [B, 3, f h, f w] in about -1..1, not clamped. @throws as `encodePictures`. */
export async function decodeLatents(
  workspace: Workspace,
  autoencoder: Autoencoder,
  latents: HostImages,
  control: CodingControl = {},
): Promise<HostImages> {
  const { latentChannels, downscale } = autoencoder;
  const { batch } = latents;
  checkCount('latents', latents, latentChannels);
  const [height, width] = [downscale * latents.height, downscale * latents.width];
  const each = PICTURE_CHANNELS * height * width;
  const data = new Float32Array(batch * each);
  await passes(workspace, autoencoder, { ...latents, pixels: height * width }, control, {
    channels: latentChannels,
    run: (tape, z) => autoencoder.decode(tape, z),
    take: (given, first) => data.set(given, first * each),
  });
  return { data, batch, height, width };
}

interface Way {
  readonly channels: number;
  run(tape: Tape, x: Tensor): Tensor;
  take(given: Float32Array, first: number, count: number): void;
}

/** Runs images through in passes of a few, each a task of the workspace. */
async function passes(
  workspace: Workspace,
  autoencoder: Autoencoder,
  { data, batch, height, width, pixels }: HostImages & { readonly pixels: number },
  { signal, atOnce }: CodingControl,
  way: Way,
): Promise<void> {
  const most = atOnce ?? Math.floor(COMFORTABLE_BYTES / (4 * pixels * autoencoder.numbersPerPixel));
  const step = Math.max(1, Math.min(MOST_AT_ONCE, most));
  const each = way.channels * height * width;
  for (let first = 0; first < batch; first += step) {
    signal?.throwIfAborted();
    const count = Math.min(step, batch - first);
    const given = await workspace.task(async () => {
      try {
        workspace.beginStep();
        const tape = new Tape(workspace, { record: false });
        const x = tape.alloc(count, way.channels, height, width);
        workspace.stream.write(x, data.subarray(first * each, (first + count) * each));
        return await workspace.read(way.run(tape, x));
      } catch (error) {
        await workspace.abandonStep();
        throw error;
      }
    });
    way.take(given, first, count);
  }
}

/** mean, or mean + std noise, of [B, 2C, h, w]: the first half of each image's numbers are means, the second log-variances. */
function takeNormal(given: Float32Array, each: number, noise: Float32Array | undefined, to: Float32Array): void {
  const [low, high] = LOG_VARIANCE;
  for (let i = 0; i < to.length; i++) {
    const at = Math.floor(i / each) * 2 * each + (i % each);
    const mean = given[at] as number;
    if (!noise) to[i] = mean;
    else {
      const logVariance = Math.min(high, Math.max(low, given[at + each] as number));
      to[i] = mean + Math.exp(logVariance / 2) * (noise[i] as number);
    }
  }
}

function checkCount(what: string, { data, batch, height, width }: HostImages, channels: number): void {
  const wanted = batch * channels * height * width;
  if (data.length !== wanted)
    throw new ModelError(
      `${batch} ${what} of ${channels} x ${height} x ${width} with ${data.length} numbers`,
      `give ${wanted}`,
    );
}

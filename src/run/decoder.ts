import type { LatentScale } from '../data/latents.ts';
import { toFloat32 } from '../io/safetensors.ts';
import { type CodingControl, decodeLatents, type HostImages } from '../models/autoencoders/autoencoder.ts';
import { type AutoencoderFile, autoencoderKind, openAutoencoder } from '../models/autoencoders/registry.ts';
import type { HostWeights } from '../models/features/small_cnn.ts';
import type { Workspace } from '../tensor/index.ts';
import { RunError } from './errors.ts';
import { checkSound } from './sound.ts';
import { parseWeightsFile } from './weights_file.ts';

type Shape = readonly [channels: number, height: number, width: number];

const PICTURE_CHANNELS = 3;

/** What makes pictures of latents: an autoencoder with its weights on the host, which works on any device. */
export interface PictureDecoder {
  /** The autoencoder's. */
  readonly key: string;
  readonly latentChannels: number;
  /** Pixels of a picture's side for one of a latent's. */
  readonly downscale: number;
  /**
   * Pictures of raw latents, [B, C, h, w] -> [B, 3, f h, f w] of about -1..1. The weights are on the device as long as it takes.
   * @throws ModelError for latents or weights that are not the autoencoder's; the signal's reason.
   */
  decode(workspace: Workspace, latents: HostImages, control?: CodingControl): Promise<HostImages>;
}

/** How a run's latents were scaled, and what makes pictures of them, where that is known. */
export interface PicturedLatents extends LatentScale {
  readonly decoder?: PictureDecoder | undefined;
}

/**
 * The weights of an autoencoder from the bytes of a file of safetensors or PyTorch.
 * @param where its name, for errors. @param config the config.json that came along, parsed.
 * @throws RunError for a file of another kind or numbers that are not finite; IoError.
 */
export function parseAutoencoder(bytes: ArrayBuffer | Uint8Array, where: string, config?: unknown): AutoencoderFile {
  const weights = new Map<string, HostWeights>();
  const file = parseWeightsFile(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes), where);
  for (const [name, tensor] of file.plain()) weights.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  checkSound(
    where,
    [...weights].map(([name, { data }]) => [name, data] as const),
    'download the weights again',
  );
  return { weights, where, ...(config !== undefined && { config }) };
}

/** The decoder of an autoencoder. @param file its weights; idae_f1c3 has none. @throws ModelError for a key that there is not. */
export function pictureDecoder(key: string, file?: AutoencoderFile): PictureDecoder {
  const { downscale, latentChannels } = autoencoderKind(key);
  return {
    key,
    latentChannels,
    downscale,
    async decode(workspace, latents, control) {
      const autoencoder = await workspace.task(async () => {
        const opened = openAutoencoder(workspace, key, file);
        await workspace.stream.flush();
        return opened;
      });
      try {
        if (autoencoder.downscale !== downscale || autoencoder.latentChannels !== latentChannels)
          throw new RunError(
            `${file?.where ?? key} makes 1 / ${autoencoder.downscale} and ${autoencoder.latentChannels} channels of a picture, ${key} is 1 / ${downscale} and ${latentChannels}`,
            'name the autoencoder that the weights are of',
          );
        return await decodeLatents(workspace, autoencoder, latents, control);
      } finally {
        autoencoder.free();
      }
    },
  };
}

/** What a network's samples [C, h, w] are when they are shown: decoded where they can be. */
export function shownShape(
  [channels, height, width]: Shape,
  decoder: PictureDecoder | undefined,
): [channels: number, height: number, width: number] {
  if (!decoder) return [channels, height, width];
  return [PICTURE_CHANNELS, decoder.downscale * height, decoder.downscale * width];
}

/** Raw latents of a shape [C, h, w] as they are shown: pictures where they can be decoded, else as they are. */
export async function shown(
  workspace: Workspace,
  samples: Float32Array<ArrayBuffer>,
  [channels, height, width]: Shape,
  decoder: PictureDecoder | undefined,
  signal?: AbortSignal,
): Promise<Float32Array<ArrayBuffer>> {
  if (!decoder) return samples;
  const batch = samples.length / (channels * height * width);
  return (await decoder.decode(workspace, { data: samples, batch, height, width }, { signal })).data;
}

/** @throws RunError for latents of another number of channels than the autoencoder's. */
export function checkLatents(
  { key, latentChannels }: Pick<PictureDecoder, 'key' | 'latentChannels'>,
  channels: number,
): void {
  if (channels !== latentChannels)
    throw new RunError(
      `the latents have ${channels} channels, those of ${key} ${latentChannels}`,
      'name the autoencoder that the pictures were encoded by: data.autoencoder, or --vae',
    );
}

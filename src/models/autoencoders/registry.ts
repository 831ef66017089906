import type { Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { HostWeights } from '../features/small_cnn.ts';
import type { Architecture } from './architecture.ts';
import type { Autoencoder, FixedScale } from './autoencoder.ts';
import { dcAutoencoder } from './dcae.ts';
import { dcForm, dcSizes } from './dcae_config.ts';
import { identity } from './identity.ts';
import { type KLSizes, klAutoencoder } from './kl.ts';
import { klSizes, SD_VAE, VA_VAE } from './kl_config.ts';
import { placeTensors } from './place.ts';
import { statedScale } from './stated_scale.ts';
import { taef2 } from './taef2.ts';

/** What is known of an autoencoder by its key, before its weights are read. */
export interface AutoencoderKind {
  readonly key: string;
  readonly latentChannels: number;
  readonly downscale: number;
  readonly latent: Autoencoder['latent'];
  readonly scale?: FixedScale;
}

interface Entry extends AutoencoderKind {
  /** Its scale is of how it is used, whatever the configuration of the weights says. */
  readonly scaled?: 'by key';
  /** @param config the file's; the key's own sizes if undefined. */
  architecture(config: unknown, where: string, names: ReadonlySet<string>): Architecture;
}

/** The factor that brings SD-VAE's latents to about unit size. */
const SD_SCALE: FixedScale = { mean: [0, 0, 0, 0], std: [1, 1, 1, 1], multiplier: 0.18215 };

/** Statistics of SD-VAE's latents of pictures in 0..1, which EDM2's networks are trained with (NVlabs/edm2, StabilityVAEEncoder). */
const EDM2_SCALE: FixedScale = { mean: [5.81, 3.25, 0.12, -2.15], std: [4.17, 4.62, 3.71, 3.28], multiplier: 0.5 };

const kl =
  (sizes: KLSizes, pictures: 'centred' | 'unit' = 'centred'): Entry['architecture'] =>
  (config, where) =>
    klAutoencoder(config === undefined ? sizes : klSizes(config, where), pictures);

const SD = { latentChannels: 4, downscale: 8 } as const;
const EDM2 = { latent: 'sample', scale: EDM2_SCALE, scaled: 'by key' } as const;
const VA = { latentChannels: 32, downscale: 16 } as const;

const ENTRIES: readonly Entry[] = [
  { key: 'idae_f1c3', latentChannels: 3, downscale: 1, latent: 'latent', architecture: () => identity },
  { key: 'sdvae_f8c4', ...SD, latent: 'mean', scale: SD_SCALE, architecture: kl(SD_VAE) },
  { key: 'sdvae_ema_f8c4', ...SD, latent: 'mean', scale: SD_SCALE, architecture: kl(SD_VAE) },
  { key: 'edm2_sdvae_f8c4', ...SD, ...EDM2, architecture: kl(SD_VAE, 'unit') },
  { key: 'edm2_sdvae_ema_f8c4', ...SD, ...EDM2, architecture: kl(SD_VAE, 'unit') },
  { key: 'vavae_f16d32', ...VA, latent: 'sample', architecture: kl(VA_VAE) },
  { key: 'e2evavae_f16d32', ...VA, latent: 'mean', architecture: kl(VA_VAE) },
  {
    ...{ key: 'dcae_f32c32', latentChannels: 32, downscale: 32, latent: 'latent' },
    architecture: (config, where, names) =>
      dcAutoencoder(config === undefined ? dcForm(names) : dcSizes(config, where)),
  },
  { key: 'taef2', latentChannels: 32, downscale: 8, latent: 'latent', architecture: () => taef2 },
];

/** Keys of all autoencoders. */
export const AUTOENCODER_KEYS: readonly string[] = ENTRIES.map(({ key }) => key);

function entryOf(key: string): Entry {
  const entry = ENTRIES.find((e) => e.key === key);
  if (entry) return entry;
  throw new ModelError(`there is no autoencoder ${key}`, `give one of ${AUTOENCODER_KEYS.join(', ')}`);
}

/** What an autoencoder's latents are. @throws ModelError for a key that there is not. */
export function autoencoderKind(key: string): AutoencoderKind {
  const { architecture: _, scaled: __, ...kind } = entryOf(key);
  return kind;
}

/** An autoencoder's file: its tensors by their names there, and what stands beside them. */
export interface AutoencoderFile {
  readonly weights: ReadonlyMap<string, HostWeights>;
  /** What errors call it. */
  readonly where: string;
  /** The config.json that came along, parsed; the key's own sizes if left out. */
  readonly config?: unknown;
}

/**
 * The autoencoder of a key (the reference's), its weights placed on the device. idae_f1c3 needs no file; taef2's tensors are named
 * `encoder.N...` and `decoder.N...`, N the index in its sequence.
 * @throws ModelError for a key that there is not, and for tensors that are missing, too many or of another shape.
 */
export function openAutoencoder(workspace: Workspace, key: string, file?: AutoencoderFile): Autoencoder {
  const { architecture, scaled, ...kind } = entryOf(key);
  const where = file?.where ?? key;
  const weights = file?.weights ?? new Map();
  const built = architecture(file?.config, where, new Set(weights.keys()));
  const placed = placeTensors(workspace, built, { weights, where });
  const { latentChannels, downscale, numbersPerPixel, encode, decode } = built;
  const stated = scaled ? undefined : statedScale(file?.config, latentChannels, where);
  return {
    ...kind,
    ...(stated && { scale: stated }),
    latentChannels,
    downscale,
    numbersPerPixel,
    leftOut: placed.leftOut,
    encode: (tape, pictures) => encode(tape, placed, pictures),
    decode: (tape, latents) => decode(tape, placed, latents),
    free: placed.free,
  };
}

import type { Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { HostWeights } from '../features/small_cnn.ts';
import type { Architecture } from './architecture.ts';
import type { Autoencoder, FixedScale } from './autoencoder.ts';
import { identity } from './identity.ts';
import { placeTensors } from './place.ts';
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
  architecture(config: unknown): Architecture;
}

const ENTRIES: readonly Entry[] = [
  { key: 'idae_f1c3', latentChannels: 3, downscale: 1, latent: 'latent', architecture: () => identity },
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
  const { architecture: _, ...kind } = entryOf(key);
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
  const { architecture, ...kind } = entryOf(key);
  const { tensors, numbersPerPixel, encode, decode } = architecture(file?.config);
  const placed = placeTensors(workspace, tensors, file ?? { weights: new Map(), where: key });
  return {
    ...kind,
    numbersPerPixel,
    encode: (tape, pictures) => encode(tape, placed, pictures),
    decode: (tape, latents) => decode(tape, placed, latents),
    free: placed.free,
  };
}

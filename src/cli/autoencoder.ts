import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import type { LatentScale } from '../data/latents.ts';
import { readBytes } from '../io/read.node.ts';
import { type AutoencoderFile, autoencoderKind } from '../models/autoencoders/registry.ts';
import type { DataConfig } from '../run/config.ts';
import { type PictureDecoder, type PicturedLatents, parseAutoencoder, pictureDecoder } from '../run/decoder.ts';
import { bundledModel } from './bundled.ts';
import { UsageError } from './failure.ts';

/** Autoencoders whose weights are in ucgm-webgpu-models, as files of their keys. */
const BUNDLED = ['taef2'];
/** Autoencoders without weights. */
const IDENTITY = /^idae/;

/** Which autoencoder makes pictures of a run's latents, where the command line says it. */
export interface DecoderFlags {
  vae?: string;
  vaeWeights?: string;
}

/** Adds the options that name the autoencoder of a run on latents. */
export function addDecoderOptions(command: Command): Command {
  return command
    .option('--vae <key>', "of a run on latents: the autoencoder that makes pictures of them (default: the run's)")
    .option('--vae-weights <file>', "its weights (default: the run's; taef2's come along)");
}

/** True where the weights of an autoencoder are known without a file. */
export const needsNoFile = (key: string): boolean => BUNDLED.includes(key) || IDENTITY.test(key);

/**
 * The weights of an autoencoder: of a file of safetensors or PyTorch with the config.json beside it, or those that come along.
 * @throws UsageError where no file is given and none comes along, or a number is not finite; IoError; ModelError for an unknown key.
 */
export function autoencoderFile(key: string, path: string | undefined, flag: string): AutoencoderFile | undefined {
  autoencoderKind(key);
  if (path === undefined && IDENTITY.test(key)) return undefined;
  if (path === undefined && !BUNDLED.includes(key))
    throw new UsageError(`the weights of ${key} do not come along`, `give ${flag} FILE`);
  const file = path ?? bundledModel(key);
  return parseAutoencoder(readBytes(file), file, configBeside(file));
}

function configBeside(file: string): unknown {
  const path = join(dirname(file), 'config.json');
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    throw new UsageError(`${path} is no JSON`, `remove it, or write that of ${file} there`);
  }
}

/**
 * What makes pictures of a run's latents: the autoencoder that the command line names, else that of the run's settings; undefined
 * where neither names one, or the weights of the run's are not known, which is said.
 * @throws as autoencoderFile.
 */
export function decoderOf(data: DataConfig, { vae, vaeWeights }: DecoderFlags = {}): PictureDecoder | undefined {
  const key = vae ?? data.autoencoder;
  if (key === undefined) {
    if (vaeWeights !== undefined) throw new UsageError('--vae-weights without an autoencoder', 'give --vae KEY too');
    return undefined;
  }
  const weights = vaeWeights ?? (key === data.autoencoder ? data.autoencoder_weights : undefined);
  if (vae === undefined && weights === undefined && !needsNoFile(key)) {
    autoencoderKind(key);
    console.warn(`the weights of ${key} are not known: give --vae-weights FILE, or data.autoencoder_weights`);
    return undefined;
  }
  return pictureDecoder(key, autoencoderFile(key, weights, '--vae-weights'));
}

/** A run's latents with what makes pictures of them. @throws as decoderOf; UsageError for a run on images and an autoencoder. */
export function picturedLatents(
  latents: LatentScale | undefined,
  data: DataConfig,
  flags: DecoderFlags = {},
): PicturedLatents | undefined {
  if (!latents) {
    if (flags.vae !== undefined || flags.vaeWeights !== undefined)
      throw new UsageError('--vae: the model was trained on images', 'leave it out');
    return undefined;
  }
  return { ...latents, decoder: decoderOf(data, flags) };
}

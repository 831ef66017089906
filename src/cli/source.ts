import { createHash } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { LatentScale } from '../data/latents.ts';
import { writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { toFloat32 } from '../io/safetensors.ts';
import type { CheckpointTensors } from '../io/torch_names.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { FolderStore } from '../run/folder_store.node.ts';
import { configKeptIn, keptConfig } from '../run/kept_settings.node.ts';
import { networkOf, resolveModel } from '../run/model.ts';
import { presetNamed } from '../run/presets.ts';
import { mergeConfig, type PartialConfig, parseConfig, type RunConfig } from '../run/settings.ts';
import { checkSound, USE_SOUND_WEIGHTS } from '../run/sound.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { youngAverage } from './average_age.ts';
import { UsageError } from './failure.ts';
import { foreignModel, modelNameIn } from './foreign_model.ts';
import { halves } from './halves.ts';
import { latentScaleOf } from './latent_samples.ts';
import { statOf } from './output.ts';
import { weightsOf } from './weights.ts';
import { readWeightsFile, type WeightsFile } from './weights_file.ts';

/** A trained model: from a run folder, or from a model file. */
export interface Source {
  readonly config: RunConfig;
  readonly network: VelocityNetwork;
  /** By parameter. */
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** What it is, for a line of output. */
  readonly label: string;
  /** The run folder, where it is one. */
  readonly run?: FolderStore;
  /** How the latents were scaled that it was trained on, where it was. */
  readonly latents?: LatentScale;
}

/** Which weights of what `--from` names. */
export interface Choice {
  /** Of a run: `ema` (if left out) or `model`. */
  readonly weights?: string | undefined;
  /** Of a run: those of this step's checkpoint; the newest if left out. */
  readonly at?: number | undefined;
}

/**
 * Opens what `--from` names: a run folder (averaged weights or those in training, of its newest checkpoint or another), or a
 * file of weights: safetensors whose metadata says which model they are of (`run`, a configuration as YAML, as `ucgm export`
 * writes it, or `config`, the sizes of a TiT as JSON), or a checkpoint of PyTorch that names its model.
 * @throws UsageError (also for weights that are not finite), IoError, ConfigError, ModelError, OptionError for what is not
 * there or does not fit.
 */
export function openSource(from: string, { weights, at }: Choice = {}): Source {
  if (weights !== undefined && weights !== 'ema' && weights !== 'model')
    throw new UsageError(`--weights ${weights}`, 'use ema or model');
  if (statOf(from)?.isFile()) {
    if (weights !== undefined) throw new UsageError(`--weights: ${from} holds one set of weights`, 'leave it out');
    if (at !== undefined) throw new UsageError(`step ${at}: ${from} holds one set of weights`, 'give a run folder');
    return openModelFile(from);
  }
  const which = weights ?? 'ema';
  const run = FolderStore.open(from);
  const config = run.settings();
  const { network, weights: values, step } = weightsOf(run, config.model, which, at);
  const latents = latentScaleOf(run, config);
  const young = which === 'ema' ? youngAverage(run, config, step) : undefined;
  if (young) console.warn(`warning: ${young}`);
  return { config, network, weights: values, label: `step ${step}, ${which}`, run, ...(latents && { latents }) };
}

function openModelFile(path: string): Source {
  const file = readWeightsFile(path);
  const { config, network, checkpoint } = modelOf(path, file);
  const latents = latentsOf(file, path);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of checkpoint.tensors)
    if (name.startsWith('ema/')) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  const weights = groupOf({ tensors, metadata: {} }, 'ema', network.parameters);
  checkSound(path, weights, USE_SOUND_WEIGHTS);
  return {
    config,
    network,
    weights,
    label: `${basename(path)} ${fingerprint(file)}`,
    ...(latents && { latents }),
  };
}

/** The configuration and the network that a file of weights says it is of, and its tensors. */
function modelOf(
  path: string,
  file: WeightsFile,
): { config: RunConfig; network: VelocityNetwork; checkpoint: CheckpointTensors } {
  const { run, config: sizes } = file.metadata;
  const described = run !== undefined || sizes !== undefined;
  const checkpoint = described || file.plain().size > 0 ? file.checkpoint() : undefined;
  if (!checkpoint || (!described && modelNameIn(checkpoint) === undefined))
    throw new UsageError(
      `${path} does not say which model its weights are of`,
      `give a run folder, or a file that ucgm export wrote, or make it a run: ucgm convert ${path} --run FOLDER --model NAME`,
    );
  if (!described) return { ...foreignModel({ path, checkpoint, seed: 0, options: {} }), checkpoint };
  const config = run === undefined ? sizedConfig(sizes as string, path) : configKeptIn(dirname(path), run, path);
  return { config, network: networkOf(config.model), checkpoint };
}

function sizedConfig(text: string, path: string): RunConfig {
  // JSON is YAML: the same checks, and the same errors.
  const { model } = parseConfig(JSON.stringify({ model: jsonOf(text, path) }), path);
  const config = mergeConfig(path, presetNamed('mnist'), { model: { ...model, name: 'mnist' } } as PartialConfig);
  const { input_size, in_channels, num_classes } = config.model;
  config.model = resolveModel(config.model, {
    height: input_size ?? 32,
    width: input_size ?? 32,
    channels: in_channels ?? 1,
    numClasses: num_classes ?? 0,
  });
  return config;
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new UsageError(
      `${path}: its metadata hold no JSON where it must be`,
      'write the file again with ucgm export',
    );
  }
}

/** Some digits that tell one file's weights from another's. */
function fingerprint(file: WeightsFile): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of file.plain()) hash.update(name).update(data);
  return hash.digest('hex').slice(0, 8);
}

/** The scale of latents that an export keeps in the metadata. */
function latentsOf({ metadata }: WeightsFile, path: string): LatentScale | undefined {
  if (metadata.latents === undefined) return undefined;
  const { mean, std, multiplier } = jsonOf(metadata.latents, path) as { [key: string]: unknown };
  const numbers = (value: unknown) => Array.isArray(value) && value.every((v) => Number.isFinite(v));
  if (!numbers(mean) || !numbers(std) || typeof multiplier !== 'number')
    throw new UsageError(`${path}: its metadata key latents is no scale`, 'write the file again with ucgm export');
  return { mean: Float32Array.from(mean as number[]), std: Float32Array.from(std as number[]), multiplier };
}

/** Writes a model file in half precision: weights, and the run's configuration in its metadata. */
export function writeModelFile(path: string, { config, network, weights, latents }: Source): void {
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  writeSafetensorsAtomic(
    path,
    [...weights].map(([name, data]) => [
      name,
      { dtype: 'F16', shape: shapes.get(name) as readonly number[], data: halves(name, data) },
    ]),
    {
      format: 'ucgm-model-1',
      run: keptConfig(config, dirname(path)),
      ...(latents && {
        latents: JSON.stringify({ mean: [...latents.mean], std: [...latents.std], multiplier: latents.multiplier }),
      }),
    },
  );
}

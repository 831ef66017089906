import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import type { LatentScale } from '../data/latents.ts';
import { mergeConfig, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from '../io/config.ts';
import { float32ToHalf } from '../io/dtypes.ts';
import { presetNamed } from '../io/presets.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import { readSafetensors, writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { type Safetensors, toFloat32 } from '../io/safetensors.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { UsageError } from './failure.ts';
import { latentScaleOf } from './latent_samples.ts';
import { networkOf, resolveModel } from './model.ts';
import { newestWeights } from './weights.ts';

/** A trained model: from a run folder, or from a model file. */
export interface Source {
  readonly config: RunConfig;
  readonly network: VelocityNetwork;
  /** By parameter. */
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** What it is, for a line of output. */
  readonly label: string;
  /** The run folder, where it is one. */
  readonly run?: RunFolder;
  /** How the latents were scaled that it was trained on, where it was. */
  readonly latents?: LatentScale;
}

/**
 * Opens what `--from` names: a run folder (its newest checkpoint, averaged weights or those in training), or a model file: a
 * safetensors file of weights whose metadata says which model they are of: `run`, a configuration as YAML (`ucgm export` writes
 * it), or `config`, the sizes of a TiT as JSON.
 * @throws UsageError, IoError, ConfigError, ModelError, OptionError for what is not there or does not fit.
 */
export function openSource(from: string, weights?: string): Source {
  if (weights !== undefined && weights !== 'ema' && weights !== 'model')
    throw new UsageError(`--weights ${weights}`, 'use ema or model');
  if (statSync(from, { throwIfNoEntry: false })?.isFile()) {
    if (weights !== undefined) throw new UsageError(`--weights: ${from} holds one set of weights`, 'leave it out');
    return openModelFile(from);
  }
  const which = weights ?? 'ema';
  const run = RunFolder.open(from);
  const config = mergeConfig(run.path, parseConfig(run.configText(), run.path));
  const { network, weights: values, step } = newestWeights(run, config.model, which);
  const latents = latentScaleOf(run, config);
  return { config, network, weights: values, label: `step ${step}, ${which}`, run, ...(latents && { latents }) };
}

function openModelFile(path: string): Source {
  const file = readSafetensors(path);
  const config = configOf(file, path);
  const network = networkOf(config.model);
  const latents = latentsOf(file, path);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of file.tensors)
    tensors.set(`model/${name}`, { shape: tensor.shape, data: toFloat32(tensor) });
  return {
    config,
    network,
    weights: groupOf({ tensors, metadata: {} }, 'model', network.parameters),
    label: `${basename(path)} ${fingerprint(file)}`,
    ...(latents && { latents }),
  };
}

function configOf({ metadata }: Safetensors, path: string): RunConfig {
  if (metadata.run !== undefined) return mergeConfig(path, parseConfig(metadata.run, path));
  if (metadata.config === undefined) {
    throw new UsageError(
      `${path} does not say which model its weights are of`,
      'give a run folder, or a file that ucgm export wrote',
    );
  }
  // JSON is YAML: the same checks, and the same errors.
  const { model } = parseConfig(JSON.stringify({ model: jsonOf(metadata.config, path) }), path);
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
function fingerprint({ tensors }: Safetensors): string {
  const hash = createHash('sha256');
  for (const [name, { data }] of tensors) hash.update(name).update(data);
  return hash.digest('hex').slice(0, 8);
}

/** The scale of latents that an export keeps in the metadata. */
function latentsOf({ metadata }: Safetensors, path: string): LatentScale | undefined {
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
      { dtype: 'F16', shape: shapes.get(name) as readonly number[], data: float32ToHalf(data) },
    ]),
    {
      format: 'ucgm-model-1',
      run: stringifyConfig(config),
      ...(latents && {
        latents: JSON.stringify({ mean: [...latents.mean], std: [...latents.std], multiplier: latents.multiplier }),
      }),
    },
  );
}

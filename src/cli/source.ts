import { statSync } from 'node:fs';
import { mergeConfig, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from '../io/config.ts';
import { float32ToHalf } from '../io/dtypes.ts';
import { presetNamed } from '../io/presets.ts';
import { RunFolder } from '../io/run-folder.node.ts';
import { readSafetensors, writeSafetensorsAtomic } from '../io/safetensors.node.ts';
import { type Safetensors, toFloat32 } from '../io/safetensors.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { UsageError } from './failure.ts';
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
}

/**
 * Opens what `--from` names: a run folder (its newest checkpoint, averaged weights or those in training), or a model file: a
 * safetensors file of weights whose metadata says which model they are of: `run`, a configuration as YAML (`ucgm export` writes
 * it), or `config`, the sizes of a TiT as JSON.
 * @throws UsageError, IoError, ConfigError, ModelError, OptionError for what is not there or does not fit.
 */
export function openSource(from: string, which: 'ema' | 'model'): Source {
  if (statSync(from, { throwIfNoEntry: false })?.isFile()) return openModelFile(from);
  const run = RunFolder.open(from);
  const config = mergeConfig(run.path, parseConfig(run.configText(), run.path));
  const { network, weights, step } = newestWeights(run, config.model, which);
  return { config, network, weights, label: `step ${step}`, run };
}

function openModelFile(path: string): Source {
  const file = readSafetensors(path);
  const config = configOf(file, path);
  const network = networkOf(config.model);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of file.tensors)
    tensors.set(`model/${name}`, { shape: tensor.shape, data: toFloat32(tensor) });
  return {
    config,
    network,
    weights: groupOf({ tensors, metadata: {} }, 'model', network.parameters),
    label: 'model file',
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
    throw new UsageError(`${path}: its metadata key config is no JSON`, 'write the file again with ucgm export');
  }
}

/** Writes a model file in half precision: weights, and the run's configuration in its metadata. */
export function writeModelFile(path: string, { config, network, weights }: Source): void {
  const shapes = new Map(network.parameters.map(({ name, shape }) => [name, shape]));
  writeSafetensorsAtomic(
    path,
    [...weights].map(([name, data]) => [
      name,
      { dtype: 'F16', shape: shapes.get(name) as readonly number[], data: float32ToHalf(data) },
    ]),
    { format: 'ucgm-model-1', run: stringifyConfig(config) },
  );
}

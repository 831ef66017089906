import type { LatentScale } from '../data/latents.ts';
import { encodeSafetensors, toFloat32, type WritableTensor } from '../io/safetensors.ts';
import type { CheckpointTensors } from '../io/torch_names.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { keepConstants, randomConstants } from '../nn/tables.ts';
import { groupOf, type HostTensor } from '../ucgm/checkpoint.ts';
import { RunError } from './errors.ts';
import { foreignModel, modelNameOf } from './foreign_model.ts';
import { halves } from './halves.ts';
import { networkOf, resolveModel } from './model.ts';
import { presetNamed } from './presets.ts';
import { mergeConfig, type PartialConfig, parseConfig, type RunConfig, stringifyConfig } from './settings.ts';
import { checkSound, USE_SOUND_WEIGHTS } from './sound.ts';
import { parseWeightsFile, type WeightsFile } from './weights_file.ts';

const FORMAT = 'ucgm-model-1';
const WRITE_AGAIN = 'write the file again with ucgm export';

/** A trained model on the host. */
export interface TrainedModel {
  readonly config: RunConfig;
  readonly network: VelocityNetwork;
  /** By parameter. */
  readonly weights: ReadonlyMap<string, Float32Array<ArrayBuffer>>;
  /** How the latents were scaled that it was trained on, where it was. */
  readonly latents?: LatentScale;
}

/** Precision of the weights in a model file. */
export type ModelDtype = 'F16' | 'F32';

/**
 * Reads a file of weights: safetensors whose metadata says which model they are of (`run`, a configuration as YAML, as encodeModel
 * writes it, or `config`, the sizes of a TiT as JSON), or a checkpoint of PyTorch that names its model.
 * @param where its name, for errors.
 * @throws RunError for a file that does not say its model, or holds numbers that are not finite; IoError, ConfigError, ModelError,
 * OptionError for what does not fit.
 */
export function parseModel(bytes: Uint8Array, where: string): TrainedModel {
  return modelOf(parseWeightsFile(bytes, where), where);
}

/** As parseModel, of a file that was read. */
export function modelOf(file: WeightsFile, where: string): TrainedModel {
  const { config, network, checkpoint } = described(file, where);
  const latents = latentsIn(file.metadata, where);
  const tensors = new Map<string, HostTensor>();
  for (const [name, tensor] of checkpoint.tensors)
    if (name.startsWith('ema/')) tensors.set(name, { shape: tensor.shape, data: toFloat32(tensor) });
  keepConstants(network, (name) => tensors.get(`ema/${name}`)?.data);
  const weights = groupOf({ tensors, metadata: {} }, 'ema', network.parameters);
  checkSound(where, weights, USE_SOUND_WEIGHTS);
  return { config, network, weights, ...(latents && { latents }) };
}

/** The configuration and the network that a file of weights says it is of, and its tensors. */
function described(
  file: WeightsFile,
  where: string,
): { config: RunConfig; network: VelocityNetwork; checkpoint: CheckpointTensors } {
  const { run, config: sizes } = file.metadata;
  const says = run !== undefined || sizes !== undefined;
  const checkpoint = says || file.plain().size > 0 ? file.checkpoint() : undefined;
  if (!checkpoint || (!says && modelNameOf(checkpoint) === undefined))
    throw new RunError(
      `${where} does not say which model its weights are of`,
      `give a run folder, or a file that ucgm export wrote, or make it a run: ucgm convert ${where} --run FOLDER --model NAME`,
    );
  if (!says) return { ...foreignModel({ path: where, checkpoint, seed: 0, options: {} }), checkpoint };
  const config = run === undefined ? sizedConfig(sizes as string, where) : mergeConfig(where, parseConfig(run, where));
  return { config, network: networkOf(config.model), checkpoint };
}

function sizedConfig(text: string, where: string): RunConfig {
  // JSON is YAML: the same checks, and the same errors.
  const { model } = parseConfig(JSON.stringify({ model: jsonOf(text, where) }), where);
  const config = mergeConfig(where, presetNamed('mnist'), { model: { ...model, name: 'mnist' } } as PartialConfig);
  const { input_size, in_channels, num_classes } = config.model;
  config.model = resolveModel(config.model, {
    height: input_size ?? 32,
    width: input_size ?? 32,
    channels: in_channels ?? 1,
    numClasses: num_classes ?? 0,
  });
  return config;
}

function jsonOf(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RunError(`${where}: its metadata hold no JSON where it must be`, WRITE_AGAIN);
  }
}

/** The scale of latents that encodeModel keeps. */
function latentsIn(metadata: Readonly<Record<string, string>>, where: string): LatentScale | undefined {
  if (metadata.latents === undefined) return undefined;
  const { mean, std, multiplier } = jsonOf(metadata.latents, where) as { [key: string]: unknown };
  const numbers = (value: unknown) => Array.isArray(value) && value.every((v) => Number.isFinite(v));
  if (!numbers(mean) || !numbers(std) || typeof multiplier !== 'number')
    throw new RunError(`${where}: its metadata key latents is no scale`, WRITE_AGAIN);
  return { mean: Float32Array.from(mean as number[]), std: Float32Array.from(std as number[]), multiplier };
}

/** A model as a file, in chunks: its weights, and its settings in the metadata. @throws RunError for a number that F16 cannot hold. */
export function encodeModel({ config, network, weights, latents }: TrainedModel, dtype: ModelDtype): Uint8Array[] {
  const scale = latents && { mean: [...latents.mean], std: [...latents.std], multiplier: latents.multiplier };
  const constants = [...randomConstants(network)].map(([name, data]): [string, WritableTensor] => [
    name,
    { shape: [data.length], data },
  ]);
  return encodeSafetensors(
    [
      ...network.parameters.map(({ name, shape }): [string, WritableTensor] => {
        const values = weights.get(name) as Float32Array<ArrayBuffer>;
        return [name, dtype === 'F16' ? { dtype, shape, data: halves(name, values) } : { shape, data: values }];
      }),
      ...constants,
    ],
    { format: FORMAT, run: stringifyConfig(config), ...(scale && { latents: JSON.stringify(scale) }) },
  );
}

import { quote } from '../io/quote.ts';
import { type RawTensor, toFloat32 } from '../io/safetensors.ts';
import type { CheckpointTensors } from '../io/torch_names.ts';
import { namedModel } from '../models/registry.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { closest } from './closest.ts';
import { RunError } from './errors.ts';
import { unetModel, unetName } from './foreign_unet.ts';
import { networkOf } from './model.ts';
import { presetNamed } from './presets.ts';
import { mergeConfig, type PartialConfig, type RunConfig } from './settings.ts';

/** Weights of another program, and what is said about them. */
export interface ForeignModel {
  /** The weights file, for messages. */
  readonly path: string;
  readonly checkpoint: CheckpointTensors;
  readonly seed: number;
  readonly options: {
    readonly model?: string;
    readonly transport?: string;
    readonly data?: string;
    readonly size?: number;
  };
}

type Tensors = ReadonlyMap<string, RawTensor>;

/** Tables that the reference keeps in a state_dict and that are computed here. */
const TABLES = /(^|\.)freqs_(cos|sin)$/;
/** EDM's labels of augmentation, which no network here takes: without them the network is as it is used. */
const AUGMENTATION = /^map_augment\./;
/** Greatest difference of a saved constant from the computed one: half precision's. */
const TABLE_TOLERANCE = 2e-3;
const LONGEST_NAME = 200;
/** Names that are compared for the closest, more than any network's: the comparison is slow. */
const MOST_NAMES = 4096;

/** The name of the model that a checkpoint's own configuration gives, or of a U-net its tensors; undefined where nothing tells. */
export const modelNameOf = ({ config, tensors }: CheckpointTensors): string | undefined =>
  text(config, 'model', 'type') ?? unetName(groupOf(tensors, 'model'));

/**
 * The network and the configuration, of preset multistep, that weights are of.
 * @throws RunError for weights that are not of the model, ModelError or ConfigError for options that do not exist.
 */
export function foreignModel(from: ForeignModel): { config: RunConfig; network: VelocityNetwork } {
  const { path, checkpoint, options } = from;
  const weights = groupOf(checkpoint.tensors, 'model');
  const model = modelOf(path, weights, options.model ?? modelNameOf(checkpoint), options.size);
  const network = networkOf(model);
  for (const group of ['model', 'ema'])
    checkWeights(`${path}: ${group}`, model.name, network, groupOf(checkpoint.tensors, group));
  return { network, config: configOf(from, model) };
}

/** A checkpoint's tensors of one group, by parameter. */
export function groupOf(tensors: Tensors, group: string): Map<string, RawTensor> {
  const prefix = `${group}/`;
  const out = new Map<string, RawTensor>();
  for (const [name, tensor] of tensors) if (name.startsWith(prefix)) out.set(name.slice(prefix.length), tensor);
  return out;
}

/** A text of the saved configuration. */
function text(config: CheckpointTensors['config'], section: string, key: string): string | undefined {
  const entries = config?.get(section);
  const value = entries instanceof Map ? entries.get(key) : undefined;
  return typeof value === 'string' ? value : undefined;
}

function configOf({ checkpoint, seed, options }: ForeignModel, model: RunConfig['model']): RunConfig {
  const given = {
    model,
    data: { name: options.data, size: model.input_size },
    transport: { transport_type: options.transport ?? text(checkpoint.config, 'transport', 'type') },
    train: { seed },
  } as PartialConfig;
  return mergeConfig('the converted run', presetNamed('multistep'), given);
}

/** The model section: sizes of the name, and those of the data by the tensors' shapes. */
function modelOf(
  path: string,
  weights: Tensors,
  name: string | undefined,
  size: number | undefined,
): RunConfig['model'] {
  if (name === undefined) throw new RunError(`${path} does not name its model`, 'give --model, such as TiT-XL/2');
  const { patch_size: patch, hidden_size, class_: _, ...sizes } = namedModel(name);
  if (patch === undefined || hidden_size === undefined) return unetModel(path, weights, name);
  const embedder = need(path, weights, 'x_embedder.proj.weight').shape;
  const [, columns = 0] = embedder;
  // DDT's embedder is a matrix over the patch, the others' a convolution.
  const flat = embedder.length === 2;
  const channels = flat ? columns / (patch * patch) : columns;
  const expected = [hidden_size, ...(flat ? [columns] : [channels, patch, patch])];
  if (!sameShape(embedder, expected))
    throw new RunError(
      `${path}: x_embedder.proj.weight is ${quote(embedder)}, that of ${name} is [${expected}]`,
      'give the --model of these weights',
    );
  // Of the table's count: one length of a shape with a 0 in it may be anything.
  const table = weights.get('pos_embed')?.shape.reduce((product, length) => product * length, 1);
  const side = table === undefined ? undefined : Math.sqrt(table / hidden_size) * patch;
  const input = size ?? side;
  if (input === undefined) throw new RunError(`${path} does not tell the size of its input`, 'give --size');
  const labels = weights.get('y_embedder.embedding_table.weight')?.shape[0];
  const last = weights.get('final_layer.linear.weight')?.shape[0];
  return {
    name,
    ...sizes,
    hidden_size,
    patch_size: patch,
    input_size: input,
    in_channels: channels,
    num_classes: labels === undefined ? 0 : labels - 1, // the last row is the null class
    ...(!flat && last === 2 * patch * patch * channels && { learn_sigma: true }),
  };
}

function need(path: string, weights: Tensors, name: string): RawTensor {
  const found = weights.get(name);
  if (found) return found;
  throw new RunError(
    `${path}: there is no ${name}; ${nearestTo(name, [...weights.keys()])}`,
    'give the weights of a network of this kind',
  );
}

function nearestTo(name: string, known: readonly string[]): string {
  const short = known.filter((other) => other.length <= LONGEST_NAME).slice(0, MOST_NAMES);
  return short.length === 0
    ? 'there are no others'
    : `the nearest is ${quote(closest(name.slice(0, LONGEST_NAME), short))}`;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** Whether tensors hold every parameter of a network. */
export function isWhole(network: VelocityNetwork, tensors: Tensors): boolean {
  return network.parameters.every(({ name, shape }) => sameShape(tensors.get(name)?.shape ?? [-1], shape));
}

/** Names the first parameter that is missing, of another shape, or none of the network's. */
function checkWeights(where: string, model: string, network: VelocityNetwork, tensors: Tensors): void {
  const fix = `check --model ${model}`;
  const names = network.parameters.map(({ name }) => name);
  for (const { name, shape } of network.parameters) {
    const found = tensors.get(name);
    if (!found) throw new RunError(`${where} lacks ${name} of ${model}; ${nearestTo(name, [...tensors.keys()])}`, fix);
    if (!sameShape(found.shape, shape))
      throw new RunError(`${where} ${name} is ${quote(found.shape)}, that of ${model} is [${shape}]`, fix);
  }
  const known = new Set(names);
  for (const name of tensors.keys()) {
    if (
      known.has(name) ||
      TABLES.test(name) ||
      AUGMENTATION.test(name) ||
      network.constants.some((constant) => constant.name === name)
    )
      continue;
    throw new RunError(`${where} has ${quote(name)}, which ${model} has not; ${nearestTo(name, names)}`, fix);
  }
  for (const { name, data, random } of network.constants) {
    const found = tensors.get(name);
    if (!found) {
      if (random) throw new RunError(`${where} lacks ${name} of ${model}, which no one else has`, fix);
      continue;
    }
    const saved = toFloat32(found);
    if (random && saved.length === data.length) continue;
    if (
      saved.length !== data.length ||
      saved.some((value, i) => !(Math.abs(value - (data[i] as number)) <= TABLE_TOLERANCE))
    )
      throw new RunError(`${where} ${name} is not the fixed table of ${model}`, 'a trained table cannot be taken over');
  }
}

import { type RawTensor, toFloat32 } from '../io/safetensors.ts';
import { namedModel } from '../models/registry.ts';
import { RunError } from './errors.ts';
import type { RunConfig } from './settings.ts';

type Tensors = ReadonlyMap<string, RawTensor>;
type Model = RunConfig['model'];

const FIRST = /^enc\.(\d+)x\1_conv\.weight$/;

/** Whether weights are of a U-net, EDM2 or UNet+. */
export const isUNet = (weights: Tensors): boolean => [...weights.keys()].some((name) => FIRST.test(name));

/** The name of a U-net by its weights: EDM2's size by its width, or UNet+; undefined for others. */
export function unetName(weights: Tensors): string | undefined {
  if (!isUNet(weights)) return undefined;
  if (!weights.has('emb_noise.weight')) return 'UNet+';
  const width = firstOf(weights).shape[0];
  const sizes = ['XS', 'S', 'M', 'L', 'XL', 'XXL'].map((size) => `EDM2-${size}`);
  return sizes.find((name) => namedModel(name).model_channels === width);
}

const firstOf = (weights: Tensors): RawTensor => [...weights].find(([name]) => FIRST.test(name))?.[1] as RawTensor;

/** The model section of a U-net: levels, blocks and options as its tensors' names and shapes have them. @throws RunError */
export function unetModel(path: string, weights: Tensors, name: string): Model {
  const { class_, model_channels } = namedModel(name);
  const isEdm2 = class_ === 'EDM2';
  const fail = (what: string): never => {
    throw new RunError(
      `${path}: ${what}`,
      'give the weights of a U-net of EDM2 or EDM, and the --model of these weights',
    );
  };
  const found =
    [...weights.keys()].find((key) => FIRST.test(key)) ?? fail(`there is no enc.SxS_conv.weight of ${name}`);
  const shape = (key: string) => weights.get(key)?.shape ?? fail(`there is no ${key} of ${name}`);
  const side = Number(FIRST.exec(found)?.[1]);
  const [firstWidth = 0, into = 0] = shape(found);
  const [last, attention] = isEdm2 ? ['conv_res1', 'attn_qkv'] : ['conv1', 'qkv'];
  const at = (size: number, part: string) => `enc.${size}x${size}_${part}.weight`;
  const sizes: number[] = [];
  for (let size = side; weights.has(at(size, `block0.${last}`)); size /= 2) sizes.push(size);
  const widths = sizes.map((size) => shape(at(size, `block0.${last}`))[0] as number);
  // UNet+ begins with model_channels; EDM2 with a multiple of them, once where the name is of another size.
  const width = isEdm2 && firstWidth % (model_channels as number) === 0 ? (model_channels as number) : firstWidth;
  const multiple = (of: number) => {
    if (width === 0 || of % width !== 0) fail(`${of} channels are no multiple of ${name}'s ${width}`);
    return of / width;
  };
  let num_blocks = 0;
  while (weights.has(at(side, `block${num_blocks}.${last}`))) num_blocks++;
  const [embedded = 0, noise = 0] = shape(isEdm2 ? 'emb_noise.weight' : 'map_layer0.weight');
  const [, classes = 0] = weights.get(isEdm2 ? 'emb_label.weight' : 'map_label.weight')?.shape ?? [];
  return {
    name,
    input_size: side,
    in_channels: isEdm2 ? into - 1 : into, // EDM2's has a channel of ones beside
    num_classes: classes,
    model_channels: width,
    channel_mult: widths.map(multiple),
    channel_mult_noise: multiple(noise),
    channel_mult_emb: multiple(embedded),
    num_blocks,
    attn_resolutions: sizes.filter((size) => weights.has(at(size, `block0.${attention}`))),
    ...(!isEdm2 && unetPlusOptions(weights, sizes)),
  };
}

function unetPlusOptions(weights: Tensors, sizes: readonly number[]): Partial<Model> {
  const has = (pattern: RegExp) => [...weights.keys()].some((name) => pattern.test(name));
  const filter = [...weights].find(([name]) => name.endsWith('.resample_filter'))?.[1];
  return {
    embedding_type: weights.has('map_noise.freqs') ? 'fourier' : 'positional',
    encoder_type: has(/aux_residual\./) ? 'residual' : has(/aux_skip\./) ? 'skip' : 'standard',
    decoder_type: sizes.some((size, i) => i > 0 && has(new RegExp(`^dec\\.${size}x${size}_aux_conv\\.`)))
      ? 'skip'
      : 'standard',
    ...(filter && { resample_filter: tapsOf(filter) }),
  };
}

/** The taps of a filter from the buffer [1, 1, n, n] of their products: sums of its rows, over the first. */
function tapsOf(filter: RawTensor): number[] {
  const values = toFloat32(filter);
  const n = filter.shape.at(-1) as number;
  const rows = Array.from({ length: n }, (_, i) => values.subarray(i * n, (i + 1) * n).reduce((a, b) => a + b, 0));
  return rows.map((row) => Math.round((1000 * row) / (rows[0] as number)) / 1000);
}

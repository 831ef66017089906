import type { VelocityNetwork } from '../src/nn/network.ts';
import { networkOf, resolveModel } from '../src/run/model.ts';
import { presetNamed } from '../src/run/presets.ts';
import { mergeConfig, type PartialConfig, type RunConfig } from '../src/run/settings.ts';
import type { PassPrecision } from '../src/tensor/index.ts';

/** A training step to measure: a preset, what differs from it, and the data's shape. */
interface ModelCase {
  readonly preset: string;
  readonly changes: PartialConfig;
  /** Channels, size and classes of the data. */
  readonly data: readonly [channels: number, size: number, classes: number];
  /** Too large for a software adapter. */
  readonly gpuOnly: boolean;
}

const MNIST = { model: { name: 'mnist' }, data: { batch_size: 256 } };
/** One forward and backward pass a step, as PyTorch's times of these models are: an enhanced target takes a second forward pass. */
const PLAIN = { enhanced_ratio: 0 };
const SMALL = {
  transport: PLAIN,
  model: { name: 'tiny', hidden_size: 128, depth: 6, num_heads: 4 },
  data: { batch_size: 128 },
};

/** A model of the reference on latents, in its multi-step setting without the enhanced target. */
const latents = (name: string, channels: number, size: number, batch_size: number): ModelCase => ({
  preset: 'multistep',
  changes: { transport: PLAIN, model: { name }, data: { batch_size } } as PartialConfig,
  data: [channels, size, 1000],
  gpuOnly: true,
});

const digits = (preset: string, changes: object, size: number, gpuOnly: boolean): ModelCase => ({
  preset,
  changes: changes as PartialConfig,
  data: [1, size, 10],
  gpuOnly,
});

/** One block of 6 heads, with its embedding, its head and the optimiser: what other WebGPU libraries are measured by. */
const block = (batch_size: number, gpuOnly: boolean): ModelCase => ({
  ...latents('SiT-S/2', 4, 16, batch_size),
  changes: { transport: PLAIN, model: { name: 'SiT-S/2', depth: 1 }, data: { batch_size } } as PartialConfig,
  gpuOnly,
});

const CASES_OF_F32: { readonly [name: string]: ModelCase } = {
  'step tiny preset': digits('tiny', {}, 28, false),
  'step 28x28 w128 d6 b128': digits('multistep', SMALL, 28, true),
  'step MNIST setting': digits('mnist', {}, 32, true),
  'step MNIST few-step': digits('fewstep', MNIST, 32, true),
  'step MNIST any-step': digits('anystep', MNIST, 32, true),
  'step TiT-S/2 b64': latents('TiT-S/2', 4, 32, 64),
  'step TiT-B/2 b32': latents('TiT-B/2', 4, 32, 32),
  'step TiT-XL/1 b16': latents('TiT-XL/1', 32, 16, 16),
  'step SiT block T64 w384 b16': block(16, true),
  'step SiT block T64 w384 b4': block(4, false),
  'step EDM2-XS 64x64 b8': latents('EDM2-XS', 4, 64, 8),
  'step EDM2-S 64x64 b8': latents('EDM2-S', 4, 64, 8),
  'step UNet+ 32x32 b32': { ...latents('UNet+', 3, 32, 32), data: [3, 32, 1] },
};

/** Steps that are measured in lower precision too, under their name and that of the precision. */
const LOWER = [
  'step 28x28 w128 d6 b128',
  'step MNIST setting',
  'step TiT-S/2 b64',
  'step TiT-B/2 b32',
  'step TiT-XL/1 b16',
] as const;
/** Steps whose convolutions are products on matrices in mixed precision, and no others. */
const MIXED = ['step EDM2-S 64x64 b8', 'step UNet+ 32x32 b32'] as const;

const lower = (name: string, precision: PassPrecision): [string, ModelCase] => {
  const { changes, ...rest } = CASES_OF_F32[name] as ModelCase;
  const train = { ...changes.train, precision };
  return [`${name} ${precision}`, { ...rest, changes: { ...changes, train } }];
};

/** tools/torch_baseline.py has steps of the same names. */
const CASES: { readonly [name: string]: ModelCase } = {
  ...CASES_OF_F32,
  ...Object.fromEntries(LOWER.flatMap((name) => [lower(name, 'f32x3'), lower(name, 'mixed')])),
  ...Object.fromEntries(MIXED.map((name) => lower(name, 'mixed'))),
};

/** Names of the cases that a filter takes. */
export function modelCases(filter: RegExp, software: boolean): string[] {
  return Object.keys(CASES).filter((name) => filter.test(name) && !(software && CASES[name]?.gpuOnly));
}

/** The network of a case, how it is trained, and the classes of its data. */
export function modelCase(name: string): { config: RunConfig; network: VelocityNetwork; numClasses: number } {
  const { preset, changes, data } = CASES[name] as ModelCase;
  const [channels, size, numClasses] = data;
  const config = mergeConfig(name, presetNamed(preset), changes);
  const network = networkOf(resolveModel(config.model, { channels, height: size, width: size, numClasses }));
  return { config, network, numClasses };
}

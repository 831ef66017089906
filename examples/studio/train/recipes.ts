import { presetNamed } from '../../../src/run/presets.ts';
import type { PartialConfig } from '../../../src/run/settings.ts';
import type { Settings } from '../settings.ts';
import { isToy } from '../toy/data.ts';

/** A way to train that the page offers: a preset of the library, and what differs from it here. */
export interface Recipe {
  readonly label: string;
  readonly preset: string;
  readonly changes: PartialConfig;
  /** What to expect of it, in a line. */
  readonly expect: string;
  /** The model, where no other is chosen, and the tokens of an image of the data that goes with it. */
  readonly model: string;
  readonly tokens: number;
}

export const RECIPES: { readonly [name: string]: Recipe } = {
  tiny: {
    label: 'tiny, the quickest',
    preset: 'tiny',
    changes: {},
    expect: 'On digits: blots at 300 steps, some can be read at 700, most at 1,200; the loss falls from 1.4 to 0.48.',
    model: 'tiny',
    tokens: 49,
  },
  phone: {
    label: 'phone, within its memory',
    preset: 'phone',
    changes: {},
    expect: 'As tiny, in at most 500 MB; what would not fit is refused.',
    model: 'tiny',
    tokens: 49,
  },
  mnist: {
    label: 'mnist, the reference’s setting',
    preset: 'mnist',
    changes: {},
    expect: 'For a GPU: 256 images of 32 × 32 a step. Its 5,000 steps take an H100 some two minutes.',
    model: 'mnist',
    tokens: 64,
  },
  plane: {
    label: 'plane, for points',
    preset: 'tiny',
    changes: {
      model: { name: 'tiny/1' },
      data: { batch_size: 256 },
      optimizer: { lr: 2e-3 },
      train: { steps: 1500 },
      sample: { cfg_scale: 1 },
    } as PartialConfig,
    expect: 'The ways of points bend towards their shape as it learns; 256 points a step.',
    model: 'tiny/1',
    tokens: 1,
  },
};

/** The recipe of the settings: points of the plane have one of their own. */
export function recipeOf({ data, preset }: Pick<Settings, 'data' | 'preset'>): Recipe {
  return RECIPES[isToy(data) ? 'plane' : preset] ?? (RECIPES.tiny as Recipe);
}

/** Settings of the library that those of the page come to, the preset's left out. */
export function changesOf(settings: Settings): PartialConfig {
  const { changes } = recipeOf(settings);
  const { model, batch, rate, keepEvery, data } = settings;
  return {
    ...changes,
    model: { ...changes.model, ...(model !== '' && !isToy(data) && { name: model }) },
    data: { ...changes.data, ...(batch > 0 && { batch_size: batch }) },
    optimizer: { ...changes.optimizer, ...(rate > 0 && { lr: rate }) },
    train: { ...changes.train, ...(keepEvery > 0 && { checkpoint_every: keepEvery }), sample_every: 0 },
  } as PartialConfig;
}

/** Parameters of the models that are offered, about. */
export const PARAMETERS: { readonly [model: string]: number } = {
  tiny: 0.33e6,
  'tiny/1': 0.33e6,
  small: 1.9e6,
  mnist: 4.2e6,
};

/** Multiply-adds of a forward pass of one image, about: parameters times tokens. */
export function costOf(settings: Settings): number {
  const { model, tokens } = recipeOf(settings);
  return (PARAMETERS[isToy(settings.data) ? model : settings.model || model] ?? 0) * tokens;
}

/** Steps of a training in all. */
export function stepsOf(settings: Settings): number {
  const recipe = recipeOf(settings);
  return settings.trainSteps || (recipe.changes.train?.steps ?? presetNamed(recipe.preset).train?.steps ?? 0);
}

/** Images a step. */
export function batchOf(settings: Settings): number {
  const recipe = recipeOf(settings);
  return settings.batch || (recipe.changes.data?.batch_size ?? presetNamed(recipe.preset).data?.batch_size ?? 0);
}

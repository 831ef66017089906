import * as v from 'valibot';
import { namedModel } from '../models/registry.ts';
import type { RunConfig } from './settings.ts';

const point = v.tuple([v.number(), v.number()]);

const schema = v.object({
  preset: v.string(),
  command: v.string(),
  adapter: v.string(),
  date: v.string(),
  /** The run's network, batch, and fingerprint of its images, or the name of those that come along. */
  model: v.string(),
  batch: v.number(),
  data: v.string(),
  /** Steps, and the mean loss of the steps up to each since the one before. */
  loss: v.array(point),
  /** How the scores were taken, and the Frechet distance by sampling steps. */
  scored: v.optional(v.object({ how: v.string(), frechet: v.array(point) })),
});

/** What a recipe gave when it was run here: recipes/PRESET.json. */
export type Expected = v.InferOutput<typeof schema>;

/** Reads a recipe's file. @throws ValiError for one of another form. */
export function parseExpected(text: string): Expected {
  return v.parse(schema, JSON.parse(text));
}

/** Settings that follow from a run's length. */
const BY_LENGTH = new Set(['lr_decay_steps', 'step_ratio_steps']);

/**
 * True where a run has the objective and optimiser of a preset, and the network, batch and images of a recipe: their curves can be
 * compared. Its seed, its length and how it is kept and sampled may differ.
 */
export function follows(
  run: RunConfig,
  preset: RunConfig,
  expected: Pick<Expected, 'model' | 'batch' | 'data'>,
): boolean {
  const { class_: _, ...sizes } = namedModel(expected.model);
  const { model } = run;
  return (
    (run.data.fingerprint ?? run.data.name) === expected.data &&
    run.data.batch_size === expected.batch &&
    alike(run.transport, preset.transport) &&
    alike(run.optimizer, preset.optimizer) &&
    Object.entries(sizes).every(([key, value]) => (model as { [key: string]: unknown })[key] === value) &&
    (model.two_times ?? false) === (preset.model.two_times ?? false) &&
    (model.guidance_input ?? false) === (preset.model.guidance_input ?? false)
  );
}

/** True where two sections have the same values. */
function alike(a: object, b: object): boolean {
  const told = (section: object) =>
    JSON.stringify(
      Object.entries(section)
        .filter(([key, value]) => value !== undefined && !BY_LENGTH.has(key))
        .sort(([one], [two]) => (one < two ? -1 : 1)),
    );
  return told(a) === told(b);
}

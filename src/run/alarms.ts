import type { BatchSource } from '../data/batches.ts';
import { varianceWithinLabels, velocityError } from '../ucgm/diagnostics.ts';
import type { Trainer } from '../ucgm/trainer.ts';
import { draw } from './draw.ts';
import type { RunEvents } from './events.ts';
import { isFewStep } from './few_step.ts';
import type { RunConfig } from './settings.ts';

/** Images that a check looks at, at most. */
const IMAGES = 64;
/** Share of the data's variance below which samples count as collapsed. */
const COLLAPSED = 0.25;
/** Share of the velocity that a teacher may miss. */
const POOR_TEACHER = 0.5;

/** The first images of a batch. */
export interface Sighting {
  readonly x: Float32Array;
  readonly labels: Uint32Array<ArrayBuffer>;
}

/** A few images of the data, to compare with. */
export async function sight(source: BatchSource, step: number): Promise<Sighting> {
  const { x, labels } = await source.batch(step);
  const n = Math.min(IMAGES, labels.length);
  return { x: x.slice(0, (x.length / labels.length) * n), labels: labels.slice(0, n) };
}

/**
 * What is wrong, as multi-step weights, with those that tuning takes its teacher from, or nothing.
 * @param own whether the teacher has weights of its own; it is the start otherwise.
 */
export async function poorTeacher(
  trainer: Trainer,
  seen: Sighting,
  config: RunConfig,
  own: boolean,
): Promise<string | undefined> {
  const { workspace, network, teacher } = trainer;
  const weights = own && teacher ? teacher.weights : trainer.weights;
  const { transport_type } = config.transport;
  const lease = workspace.lease('scoring'); // its step tensors are of no use to the steps to come
  const error = await velocityError(lease, network, weights, transport_type, seen, config.train.seed).finally(() =>
    lease.dispose(),
  );
  if (error <= POOR_TEACHER) return undefined;
  return (
    `the ${own ? 'teacher' : 'start'} misses ${(100 * error).toFixed(0)}% of the velocity half way between data and noise: it is no trained ` +
    `multi-step model of this data and transport (${transport_type}), and ${own ? 'no' : 'neither a good start nor a'} good teacher. ` +
    'Train it longer first'
  );
}

/** Looks at every checkpoint for a few-step model that has fallen to one sample a class. */
export function collapseWatch(
  trainer: Trainer,
  source: BatchSource,
  warn: (text: string) => void,
  signal?: AbortSignal,
): RunEvents {
  let seen: Sighting | undefined;
  let config: RunConfig;
  return {
    purpose: 'look for collapse',
    async started(step, started) {
      config = started;
      if (isFewStep(config)) seen = await sight(source, step);
    },
    async saved() {
      const alarm = seen && (await collapse(trainer, seen, config, signal));
      if (alarm) warn(alarm);
    },
  };
}

/** An alarm when most of the variance of a few-step model's samples is gone, or nothing. @throws the signal's reason. */
export async function collapse(
  trainer: Trainer,
  seen: Sighting,
  config: RunConfig,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { workspace, network, average, step } = trainer;
  const { x, labels } = seen;
  if (labels.length < 2) return undefined;
  const drawing = { labels, seed: config.train.seed, ...(signal && { signal }) };
  const lease = workspace.lease('scoring');
  const { samples } = await draw(lease, network, average, config, drawing).finally(() => lease.dispose());
  const share = varianceWithinLabels(samples, labels) / varianceWithinLabels(x, labels);
  if (share >= COLLAPSED) return undefined; // of samples that are no numbers the share is none: an alarm too
  return (
    `collapse at step ${step}: samples of one class vary ${(100 * share).toFixed(0)}% as much as the data. ` +
    'Go back to an earlier checkpoint, and lower optimizer.lr or transport.enhanced_ratio'
  );
}

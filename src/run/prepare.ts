import type { BatchSource } from '../data/batches.ts';
import type { LocalStepsOptions } from '../optim/local_steps_options.ts';
import { checkOptimizer, type OptimizerOptions } from '../optim/optimizer_options.ts';
import { decays } from '../optim/rate.ts';
import { ALONE, type Communicator } from '../parallel/communicator.ts';
import { GradientExchange } from '../parallel/gradient_exchange.ts';
import { partOf, sharesOf } from '../parallel/share.ts';
import type { Workspace } from '../tensor/index.ts';
import { Trainer } from '../ucgm/trainer.ts';
import { RunError } from './errors.ts';
import { networkOf, resolveModel } from './model.ts';
import type { RunConfig } from './settings.ts';

/**
 * A trainer as settings with a resolved model section say, its weights freshly initialised; of several ranks this one's, with its part of
 * every batch. @throws ModelError, OptionError, OptimizerError, ParallelError, PrecisionError, BufferLimitError.
 */
export function trainerOf(workspace: Workspace, config: RunConfig, ranks: Communicator = ALONE): Trainer {
  const { train, data, transport, optimizer } = config;
  const whole = data.batch_size;
  const part = partOf(whole, ranks.rank, ranks.size);
  const exchange = { ranks, shares: sharesOf(whole, ranks.size), wire: train.wire ?? 'f32' };
  const localSteps = localStepsOf(train);
  return new Trainer(workspace, networkOf(config.model), part.size, {
    objective: transport,
    optimizer: optimizer as OptimizerOptions,
    emaDecay: train.ema_decay,
    ...(train.ema && { emaDecays: train.ema }),
    maxGradNorm: train.max_grad_norm,
    seed: train.seed,
    checkpointing: train.gradient_checkpointing ?? false,
    precision: train.precision ?? 'f32',
    accumulate: train.accumulate ?? 1,
    shard: { first: part.first, of: whole },
    ...(localSteps && { localSteps }),
    ...(ranks.size > 1 && { averager: new GradientExchange(workspace, exchange) }),
  });
}

/**
 * What ranks do between their outer steps, if they make such: with the published numbers (Douillard et al. 2023) where none are given.
 * @throws RunError for numbers of what is not asked for.
 */
export function localStepsOf({ local_steps: steps, outer }: RunConfig['train']): LocalStepsOptions | undefined {
  if (steps === undefined && outer !== undefined)
    throw new RunError(
      'train.outer without train.local_steps: there is no outer step',
      'set train.local_steps (32, say), or leave train.outer out',
    );
  return steps === undefined ? undefined : { steps, lr: outer?.lr ?? 0.7, momentum: outer?.momentum ?? 0.9 };
}

/**
 * The optimizer section, checked, with the last step of a falling learning rate filled in: a run that is to go on for longer keeps it.
 * @throws OptimizerError.
 */
export function resolveOptimizer({ optimizer, train }: RunConfig): RunConfig['optimizer'] {
  const resolved = { ...(decays(optimizer.lr_decay) && { lr_decay_steps: train.steps }), ...optimizer };
  checkOptimizer(resolved);
  return resolved;
}

/** The transport section with the length of a falling step ratio filled in, likewise. */
export function resolveTransport({ transport, train }: RunConfig): RunConfig['transport'] {
  const [first, last] = transport.step_ratio ?? [];
  return first === last ? transport : { step_ratio_steps: train.steps, ...transport };
}

/** The settings with all that follows from the data filled in. @throws ModelError, OptimizerError for what does not fit. */
export function settled(config: RunConfig, source: BatchSource): RunConfig {
  const model = resolveModel(config.model, source);
  return { ...config, model, optimizer: resolveOptimizer(config), transport: resolveTransport(config) };
}

/** @throws RunError for a batch that no device holds, before memory for it is asked for. @param ranks that share it. */
export function checkBatch({ data }: RunConfig, { channels, height, width }: BatchSource, ranks = 1): void {
  const bytes = 4 * Math.ceil(data.batch_size / ranks) * channels * height * width;
  if (bytes >= 2 ** 32)
    throw new RunError(
      `a batch of ${data.batch_size} x ${channels} x ${height} x ${width} numbers takes ${bytes} bytes, a buffer holds less than ${2 ** 32}`,
      'set data.batch_size (--batch) or data.size lower',
    );
}

/** Puts into the settings what the data is; `warn` hears where a resumed run's has changed. */
export function keepData(
  { name, classNames, fingerprint }: BatchSource,
  data: RunConfig['data'],
  resumed: boolean,
  warn: (text: string) => void,
): void {
  const changed = (what: string) => warn(`${name}: ${what} changed since the run began`);
  const [names, before] = [data.class_names, data.fingerprint];
  if (resumed && names && classNames && names.join('\n') !== classNames.join('\n'))
    changed(`the classes (${names.join(', ')}, now ${classNames.join(', ')}) have`);
  if (resumed && before !== undefined && fingerprint !== undefined && before !== fingerprint)
    changed(`the images (${before}; now ${fingerprint}) have`);
  if (!resumed || names === undefined) data.class_names = classNames && [...classNames];
  if (!resumed || before === undefined) data.fingerprint = fingerprint;
}

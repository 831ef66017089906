import type { BatchSource } from '../data/batches.ts';
import { checkOptimizer, type OptimizerOptions } from '../optim/optimizer_options.ts';
import { decays } from '../optim/rate.ts';
import type { Workspace } from '../tensor/index.ts';
import { Trainer } from '../ucgm/trainer.ts';
import { RunError } from './errors.ts';
import { networkOf } from './model.ts';
import type { RunConfig } from './settings.ts';

/** A trainer as settings with a resolved model section say, its weights freshly initialised. @throws ModelError, OptionError, OptimizerError, PrecisionError, BufferLimitError. */
export function trainerOf(workspace: Workspace, config: RunConfig): Trainer {
  const { train, data, transport, optimizer } = config;
  return new Trainer(workspace, networkOf(config.model), data.batch_size, {
    objective: transport,
    optimizer: optimizer as OptimizerOptions,
    emaDecay: train.ema_decay,
    ...(train.ema && { emaDecays: train.ema }),
    maxGradNorm: train.max_grad_norm,
    seed: train.seed,
    checkpointing: train.gradient_checkpointing ?? false,
    precision: train.precision ?? 'f32',
  });
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

/** @throws RunError for a batch that no device holds, before memory for it is asked for. */
export function checkBatch({ data }: RunConfig, { channels, height, width }: BatchSource): void {
  const bytes = 4 * data.batch_size * channels * height * width;
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

import { randomConstants } from '../nn/tables.ts';
import { refuseNonFinite } from '../optim/non_finite.ts';
import { count, type Tensor } from '../tensor/index.ts';
import { takeConstants } from './constants.ts';
import type { Trainer } from './trainer.ts';
import { OptionError } from './transport.ts';

/** One named tensor of a checkpoint, on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** Everything that resuming needs: tensors GROUP/NAME, and the numbers beside them as text. */
export interface TrainerState {
  readonly tensors: Map<string, HostTensor>;
  readonly metadata: { [key: string]: string };
}

/** The word by which a checkpoint's metadata says what it is. */
export const CHECKPOINT_FORMAT = 'ucgm-checkpoint-1';
/** D-adaptation's numbers: they belong to no parameter. */
const DISTANCE = 'optimizer/distance';
/** Those of mixed precision, [4]. */
const LOSS_SCALE = 'optimizer/loss_scale';
/** The group of a network's random constants: one for all its sets of weights. */
export const CONSTANT = 'constant';

/**
 * Reads a trainer's whole state: weights, average, moments, teacher, cmd, step and seed. Waits for the steps asked for before, and
 * for the GPU. @throws NonFiniteError when a step since the last look was not taken (asked again, it gives the sound state before
 * it), or when a tensor is not finite; DeviceError when the device is lost.
 */
export async function trainerState(trainer: Trainer): Promise<TrainerState> {
  return trainer.inspect(() => read(trainer));
}

async function read(trainer: Trainer): Promise<TrainerState> {
  const shapes = new Map(trainer.network.parameters.map((p) => [p.name, p.shape]));
  const tensors = new Map<string, HostTensor>();
  for (const [group, buffers] of trainer.groups()) {
    for (const [name, data] of await buffers.read())
      tensors.set(`${group}/${name}`, { shape: shapes.get(name) as readonly number[], data });
  }
  for (const [name, tensor] of ownNumbers(trainer))
    tensors.set(name, { shape: [4], data: await trainer.workspace.read(tensor) });
  for (const [name, data] of randomConstants(trainer.network))
    tensors.set(`${CONSTANT}/${name}`, { shape: [data.length], data: data.slice() });
  refuseNonFinite(
    'the state is not saved: its',
    [...tensors].map(([name, { data }]) => [name, data] as const),
  );
  return {
    tensors,
    metadata: {
      format: CHECKPOINT_FORMAT,
      step: String(trainer.step),
      optimizer_step: String(trainer.optimizer.step),
      teacher_ahead: String(trainer.teacher?.ahead ?? false),
      teacher_cmd: String(trainer.teacher?.cmd ?? 0), // doubles print so that they read back exactly
      seed: String(trainer.options.seed),
      ...(trainer.options.localSteps && { round_began: String(trainer.learner.roundBegan) }),
    },
  };
}

/**
 * Puts a trainer into a saved state; training then goes on with the same bits as if it had never stopped.
 * @throws OptionError when the checkpoint is of another kind, seed or network.
 */
export function restoreTrainer(trainer: Trainer, state: TrainerState): void {
  const { metadata, tensors } = state;
  if (metadata.format !== CHECKPOINT_FORMAT)
    throw new OptionError(
      `the checkpoint's format is ${metadata.format ?? 'missing'}`,
      `use a checkpoint of format ${CHECKPOINT_FORMAT}`,
    );
  if (Number(metadata.seed) !== trainer.options.seed) {
    throw new OptionError(
      `the checkpoint's seed is ${metadata.seed}, the run's ${trainer.options.seed}`,
      `resume with seed ${metadata.seed}`,
    );
  }
  refuseNonFinite(
    "the checkpoint's",
    [...tensors].map(([name, { data }]) => [name, data] as const),
  );
  for (const [group, buffers] of trainer.groups()) buffers.write(groupOf(state, group, buffers.layout.places));
  takeConstants(trainer, (name) => tensors.get(`${CONSTANT}/${name}`)?.data);
  for (const [name, tensor] of ownNumbers(trainer)) {
    const data = tensors.get(name)?.data;
    if (data?.length === 4) trainer.workspace.stream.write(tensor, data);
    else if (name !== LOSS_SCALE)
      throw new OptionError(`the checkpoint has no ${name} [4]`, 'resume with the optimiser of the run that wrote it');
  }
  trainer.restored(
    Number(metadata.step),
    Number(metadata.optimizer_step),
    Number(metadata.teacher_cmd),
    metadata.teacher_ahead === 'true',
    metadata.round_began === undefined ? undefined : Number(metadata.round_began),
  );
  if (tensors.size === 0) throw new OptionError('the checkpoint holds no tensors', 'use another checkpoint');
}

/** What of the state belongs to no parameter, [4] each. A run of f32 that goes on in mixed has no loss scale yet: that starts anew. */
export function ownNumbers({ optimizer, learner }: Trainer): [name: string, tensor: Tensor][] {
  return [
    ...(optimizer.adaptation ? [[DISTANCE, optimizer.adaptation.distance] as [string, Tensor]] : []),
    ...(learner.lossScale ? [[LOSS_SCALE, learner.lossScale.state] as [string, Tensor]] : []),
  ];
}

/**
 * One group of a checkpoint (model, ema, ...) by parameter name.
 * @throws OptionError for a parameter that is missing or of another shape.
 */
export function groupOf(
  state: TrainerState,
  group: string,
  parameters: readonly { readonly name: string; readonly shape: readonly number[] }[],
): Map<string, Float32Array<ArrayBuffer>> {
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name, shape } of parameters) {
    const found = state.tensors.get(`${group}/${name}`);
    if (!found)
      throw new OptionError(
        `the checkpoint has no ${group}/${name}`,
        'resume with the model and options of the run that wrote it',
      );
    if (found.data.length !== count(shape)) {
      throw new OptionError(
        `the checkpoint's ${group}/${name} is [${found.shape}], the network's [${shape}]`,
        'use the model of the run that wrote it',
      );
    }
    values.set(name, found.data);
  }
  return values;
}

import {
  callback,
  either,
  flag,
  group,
  number,
  numbers,
  object,
  oneOf,
  optional,
  signal,
  type Wrong,
} from '../kernel/index.ts';
import type { FlatBuffers, Tensor } from '../tensor/index.ts';
import { type PassPrecision, precisionOption } from '../tensor/index.ts';
import { LOCAL_STEPS, type LocalStepsOptions } from './local_steps_options.ts';
import type { OptimizerOptions } from './optimizer.ts';

/** What makes of the gradients of several devices, each of its share of the batch, those of the whole: see src/parallel. */
export interface Averager {
  /** The ranges of gradients and loss [1] in the order in which they are sent, which is the same on all devices. */
  begin(gradients: FlatBuffers, loss: Tensor): Promise<readonly Tensor[]>;
  /** The first `count` ranges have their numbers, all that writes them being submitted: they may be sent. */
  send(count: number): void;
  /**
   * Sends the rest. Resolves when the commands are submitted that put the averages in the place of all of them.
   * @param meanwhile records what comes after, to be submitted then: for one that waits for the others and leaves the stream alone to call
   * while it does, once. Where it was not called, the learner records when this resolves.
   */
  finish(meanwhile?: () => Promise<void>): Promise<void>;
  /** Called where the device has a long forward to make, and its host nothing to do. */
  idle?(): void;
  /** Whether one device at least says so: the same answer on all. Asked between two averagings. */
  any(said: boolean): Promise<boolean>;
  /** Frees what it made on the device. */
  free(): void;
}

/** How a learner steps: optimiser, average, clipping, seed. */
export interface LearnerOptions {
  optimizer: OptimizerOptions;
  /** Decay of the average of the weights. */
  emaDecay: number;
  /** Decays of further averages, kept beside it: to choose among them when the training is over. */
  emaDecays?: readonly number[];
  /** Global norm to clip gradients to; null for none. */
  maxGradNorm: number | null;
  /** Seed of the first weights, 0 to 2^32 - 1. */
  seed: number;
  /** Keep of each block its inputs alone and run it again in the backward: less memory, the same gradients. */
  checkpointing?: boolean;
  /** How passes compute; f32 if left out. mixed keeps an f16 copy of the weights and scales the loss, so it skips steps that overflow. */
  precision?: PassPrecision;
  /** Steps on the device at most while the next is recorded. Default 2. */
  maxInFlight?: number;
  /** Averages loss and gradients over several devices, between backward and `onGradients`; freed with the learner. */
  averager?: Averager;
  /**
   * Steps that each device takes by itself, before all make one together: `averager` then averages what they came to, not gradients; with
   * one device alone it is left out. Averages of the weights are updated by outer steps, as of so many steps. Default: none.
   */
  localSteps?: LocalStepsOptions;
  /**
   * Called between backward and clip with the flat gradients, all that was recorded of the step being submitted: where several devices
   * average theirs. It may wait, read them back (`workspace.read`, `readChunk`, or a mapped buffer) and write others, through the
   * stream or the queue. Other work on the workspace is refused until it ends. Where it fails, the step leaves no trace.
   */
  onGradients?: (gradients: FlatBuffers) => void | Promise<void>;
  /**
   * Called after the optimiser's update (not after an outer step) and before the average's with the flat weights: to record kernels that change them (the forced
   * normalisation of EDM2, say). It only records: it must not wait. In a step that is not taken its changes are taken back.
   */
  onWeights?: (weights: FlatBuffers) => void;
}

/** The declaration of every option, to check those of a learner and of what is built on one. */
export const LEARNER_OPTIONS = {
  optimizer: object<OptimizerOptions>(),
  emaDecay: number,
  emaDecays: optional(numbers<readonly number[]>()),
  maxGradNorm: either(number, oneOf(null)),
  seed: number,
  checkpointing: optional(flag),
  precision: precisionOption,
  maxInFlight: optional(number),
  averager: optional(object<Averager>()),
  localSteps: optional(LOCAL_STEPS),
  onGradients: optional(callback<NonNullable<LearnerOptions['onGradients']>>()),
  onWeights: optional(callback<NonNullable<LearnerOptions['onWeights']>>()),
};

/** What is wrong with a learner's numbers, if something is. */
export function wrongNumbers({ seed, maxGradNorm, emaDecay, emaDecays = [] }: LearnerOptions): Wrong | undefined {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    return { what: `seed is ${seed}`, fix: 'give a whole number from 0 to 4294967295' };
  if (maxGradNorm !== null && maxGradNorm <= 0)
    return { what: `maxGradNorm is ${maxGradNorm}`, fix: 'give a positive number, or null for no clipping' };
  if (!(emaDecay >= 0 && emaDecay <= 1)) return { what: `emaDecay is ${emaDecay}`, fix: 'give a number from 0 to 1' };
  return wrongDecays(emaDecay, emaDecays);
}

/** What is wrong with the decays of further averages, if something is. */
export function wrongDecays(emaDecay: number, emaDecays: readonly number[]): Wrong | undefined {
  const bad = emaDecays.find((decay) => !(decay >= 0 && decay <= 1));
  if (bad !== undefined) return { what: `a decay is ${bad}`, fix: 'give numbers from 0 to 1' };
  const all = [emaDecay, ...emaDecays];
  const twice = all.find((decay, i) => all.indexOf(decay) < i);
  return twice === undefined
    ? undefined
    : { what: `the decay ${twice} is there twice`, fix: 'give each once: the average of emaDecay is kept anyway' };
}

/** How one step is run. */
export interface StepControl {
  /** Ends the wait for room on the device, or the step before it is submitted; the step then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

export const STEP_CONTROL = group<StepControl>({ signal: optional(signal) });

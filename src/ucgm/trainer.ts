import { group, number, object, optional } from '../kernel/index.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { randomConstants } from '../nn/tables.ts';
import type { NetworkWeights } from '../nn/weights.ts';
import { type HostParameters, Learner, type StepPart } from '../optim/learner.ts';
import {
  LEARNER_OPTIONS,
  type LearnerOptions,
  STEP_CONTROL,
  type StepControl,
  wrongNumbers,
} from '../optim/learner_options.ts';
import { refuseNonFinite } from '../optim/non_finite.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import type { StepMetrics } from '../optim/step_metrics.ts';
import { type Shard, wholeBatch, wrongShard } from '../rng/shard.ts';
import { count, type FlatBuffers, type Workspace } from '../tensor/index.ts';
import { type Batch, copyBatch } from './batch.ts';
import { takeConstants } from './constants.ts';
import { type ObjectiveOptions, validateObjective } from './options.ts';
import { SamplesPart } from './step_part.ts';
import { Teacher } from './teacher.ts';
import { OptionError, refuseWrong } from './transport.ts';

export type { HostParameters } from '../optim/learner.ts';
export type { StepControl } from '../optim/learner_options.ts';
export { METRICS_KEPT } from '../optim/step_log.ts';

/** A learner's options, and what is learned: transport, objective and guidance. */
export interface TrainerOptions extends LearnerOptions {
  objective: ObjectiveOptions;
  /** The part of every step's batch that this trainer has, where several share it; the whole if left out. */
  shard?: Shard;
  /** Passes a step: each goes over some of the samples, and their gradients are averaged: less memory, the same step (default: 1). */
  accumulate?: number;
}

const OPTIONS = group<TrainerOptions>(
  {
    objective: object(),
    ...LEARNER_OPTIONS,
    shard: optional(group<Shard>({ first: number, of: number })),
    accumulate: optional(number),
  },
  wrongNumbers,
);

/** What one step's loss is the mean of, sample by sample. */
export interface SampleLosses {
  readonly step: number;
  /** [B]: from the data, 0, to the noise, 1. */
  readonly times: Float32Array;
  /** [B]: each before its weight. */
  readonly losses: Float32Array;
}

/** Batches whose memory is kept: one is uploaded while the next is given. */
const MOST_ROOMS = 2;

/**
 * UCGM-T, or another method, on a learner: what is UCGM's is the batch, its random numbers, the method and the teacher. One `train`
 * call is one step. Every random number is a function of (seed, step, index of the sample in the whole batch).
 */
export class Trainer {
  readonly workspace: Workspace;
  readonly network: VelocityNetwork;
  readonly batchSize: number;
  readonly options: TrainerOptions;
  readonly teacher: Teacher | undefined;
  readonly learner: Learner;
  readonly #parts: readonly SamplesPart[];
  /** What each part records, the same for all steps. */
  readonly #records: readonly StepPart['record'][];
  /** The step that the parts' losses are of. */
  #lossOf: number | undefined;
  /** Memory of batches that were uploaded, for those to come. */
  readonly #rooms: Float32Array<ArrayBuffer>[] = [];
  #freed = false;

  /**
   * @param batchSize samples a step, of this trainer's part.
   * @throws OptionError, OptimizerError, PrecisionError or TensorError for options, sizes or memory that do not fit.
   */
  constructor(workspace: Workspace, network: VelocityNetwork, batchSize: number, options: TrainerOptions) {
    refuseWrong('Trainer', OPTIONS, options);
    const { objective: given, shard = wholeBatch(batchSize), accumulate = 1, ...learning } = options;
    validateObjective(given);
    const objective = Object.freeze(structuredClone(given)); // a step is kept: a change to it could not be seen
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new OptionError(`batch size is ${batchSize}`, 'give a whole number of at least 1');
    if (!Number.isInteger(accumulate) || accumulate < 1 || accumulate > batchSize)
      throw new OptionError(
        `accumulate is ${accumulate} for ${batchSize} samples`,
        'give a whole number of passes, a sample each at least',
      );
    const wrong = wrongShard(shard, batchSize);
    if (wrong) throw new OptionError(wrong.what, wrong.fix);
    if (shard.of * count(network.input) > 2 ** 32)
      throw new OptionError(
        `a batch of ${shard.of} samples of [${network.input}]: more than 2^32 numbers`,
        'give a smaller batch: a step has no more random numbers',
      );
    this.learner = new Learner(workspace, network, learning);
    this.workspace = workspace;
    this.network = network;
    this.batchSize = batchSize;
    this.options = { ...options, objective };
    const { seed, precision = 'f32' } = options;
    const context = { workspace, network, objective, seed, precision };
    const starts = Array.from({ length: accumulate + 1 }, (_, i) => Math.floor((i * batchSize) / accumulate));
    this.#parts = starts.slice(1).map((end, i) => {
      const start = starts[i] as number;
      return new SamplesPart(context, end - start, { first: shard.first + start, of: shard.of });
    });
    if (this.#parts[0]?.needsTeacher) {
      this.teacher = new Teacher(
        workspace,
        objective.ema_decay_rate,
        this.weights,
        () => this.learner.frozen('teacher'),
        (weights, clip) => network.force?.(workspace, weights, clip),
      );
      this.learner.follow(this.teacher);
    }
    this.#records = this.#parts.map((part) => part.recorder(this.weights, this.teacher));
  }

  get weights(): NetworkWeights {
    return this.learner.weights;
  }

  /** The average of the weights, which is sampled from. */
  get average(): NetworkWeights {
    return this.learner.average;
  }

  /** Every average by its decay: `average`, and those of `emaDecays`. */
  get averages(): Map<number, NetworkWeights> {
    return this.learner.averages;
  }

  get optimizer(): Optimizer {
    return this.learner.optimizer;
  }

  /** Steps done. */
  get step(): number {
    return this.learner.steps;
  }

  /**
   * Trains on one batch, after all that was asked of the workspace before; the batch is copied now. Waits while `maxInFlight` steps
   * are on the device. A step that fails or is aborted leaves weights, average, teacher and step number as they were.
   * @throws OptionError for a batch that does not fit; NonFiniteError after a step that could not be taken; the signal's reason;
   * WorkspaceError once freed; DeviceError when the device is lost; KernelError or BufferLimitError where it is too small.
   */
  async train(batch: Batch, control: StepControl = {}): Promise<void> {
    refuseWrong('train', STEP_CONTROL, control);
    const copied = copyBatch(batch, this.batchSize, this.network, this.#rooms.pop());
    const steps = this.#parts.map((part, i) => ({
      share: part.size,
      upload: () => part.upload(copied, part.shard.first - (this.#parts[0] as SamplesPart).shard.first, this.step),
      record: this.#records[i] as StepPart['record'],
    }));
    try {
      await this.learner.step(steps, control);
      this.#lossOf = this.step;
    } finally {
      if (this.#rooms.length < MOST_ROOMS) this.#rooms.push(copied.x);
    }
  }

  /**
   * Metrics of the steps since the last call (the last 128 at most). Waits for the steps asked for before, and for the GPU.
   * @throws NonFiniteError, which carries the metrics of the sound steps, when a step's loss or gradients were not finite: it and those
   * after it were not taken, and `step` is the last sound one. DeviceError when the device is lost.
   */
  metrics(): Promise<StepMetrics[]> {
    return this.learner.metrics();
  }

  /** Makes the outer step of local steps now: see `Learner.endRound`. */
  endRound(): Promise<void> {
    return this.learner.endRound();
  }

  /**
   * The losses of the last step's samples with their times; undefined before the first. Waits for the GPU. @throws as `metrics`, whose
   * steps stay to be read.
   */
  sampleLosses(): Promise<SampleLosses | undefined> {
    return this.inspect(async () => {
      const step = this.#lossOf;
      if (step === undefined) return undefined;
      const [times, losses] = [new Float32Array(this.batchSize), new Float32Array(this.batchSize)];
      let at = 0;
      for (const part of this.#parts) {
        const read = await part.sampleLosses();
        times.set(read.times, at);
        losses.set(read.losses, at);
        at += part.size;
      }
      return { step, times, losses };
    });
  }

  /** Runs `body` when all steps asked for before are done and known to be sound. @throws as `metrics`. */
  inspect<T>(body: () => Promise<T>): Promise<T> {
    return this.learner.inspect(body);
  }

  /** All that a checkpoint holds, by group: model, ema, further averages, the optimiser's (m, v, s), of local steps outer_start and outer_m, and, where there is one of its own, teacher. */
  groups(): Map<string, FlatBuffers> {
    const groups = this.learner.groups();
    if (this.teacher && this.teacher.weights !== this.weights) groups.set('teacher', this.teacher.weights.flat.values);
    return groups;
  }

  /**
   * Puts given weights, by parameter (and random constant), in the place of the initialisation; the average starts as their copy, and so does a frozen
   * teacher, if it is not given weights of its own.
   * @throws NonFiniteError by name, OptionError for a teacher's weights where the objective has no frozen teacher.
   */
  startFrom(weights: HostParameters, teacher?: HostParameters): void {
    if (teacher && !this.teacher?.isFrozen)
      throw new OptionError('the objective has no frozen teacher', 'leave the teacher out, or set ema_decay_rate to 1');
    if (teacher) refuseNonFinite("the teacher's weights:", teacher);
    const constants = randomConstants(this.network);
    const parameters = new Map([...weights].filter(([name]) => !constants.has(name)));
    this.learner.startFrom(parameters);
    takeConstants(this, (name) => weights.get(name));
    this.teacher?.start(teacher && new Map([...teacher].filter(([name]) => !constants.has(name))));
  }

  /** Takes up where a checkpoint stopped, after its groups were written. */
  restored(step: number, optimizerStep: number, cmd: number, teacherAhead: boolean, roundBegan = step): void {
    this.#lossOf = undefined;
    this.learner.restored(step, optimizerStep, roundBegan);
    this.teacher?.restored(cmd, teacherAhead);
  }

  /** Frees all that the trainer made, the workspace's step arena excepted. Resolves when the memory can be had again. */
  async free(): Promise<void> {
    if (this.#freed) return;
    this.#freed = true;
    this.teacher?.free();
    for (const part of this.#parts) part.free();
    await this.learner.free();
  }
}

import { Tape } from '../autograd/tape.ts';
import { group, number, object, optional } from '../kernel/index.ts';
import { randomNormal } from '../kernels/random.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { randomConstants } from '../nn/tables.ts';
import type { NetworkWeights } from '../nn/weights.ts';
import { type HostParameters, Learner } from '../optim/learner.ts';
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
import { beta, STREAM } from '../rng/philox.ts';
import { type Shard, wholeBatch, wrongShard } from '../rng/shard.ts';
import type { PassPrecision } from '../tensor/index.ts';
import { count, type FlatBuffers, type Tensor, type Workspace } from '../tensor/index.ts';
import { AnyStepMethod } from './anystep.ts';
import { type Batch, copyBatch } from './batch.ts';
import { takeConstants } from './constants.ts';
import type { Method } from './method.ts';
import type { LossPlace, TrainingPasses } from './objective.ts';
import { firstDropped, isTurned, type ObjectiveOptions, validateObjective } from './options.ts';
import { RecursiveMethod } from './rcgm.ts';
import { Teacher } from './teacher.ts';
import { trainingPasses } from './training_passes.ts';
import { OptionError, refuseWrong } from './transport.ts';
import { UnifiedMethod } from './unified.ts';

export type { HostParameters } from '../optim/learner.ts';
export type { StepControl } from '../optim/learner_options.ts';
export { METRICS_KEPT } from '../optim/step_log.ts';

/** A learner's options, and what is learned: transport, objective and guidance. */
export interface TrainerOptions extends LearnerOptions {
  objective: ObjectiveOptions;
  /** The part of every step's batch that this trainer has, where several share it; the whole if left out. */
  shard?: Shard;
}

const OPTIONS = group<TrainerOptions>(
  { objective: object(), ...LEARNER_OPTIONS, shard: optional(group<Shard>({ first: number, of: number })) },
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
  readonly #shard: Shard;
  readonly #inputs: { [K in 'x' | 'z' | 't' | 'y' | 'yNull' | 'key' | 'dropoutKey']: Tensor };
  readonly #training: TrainingPasses;
  readonly #method: Method;
  readonly #loss: LossPlace & { readonly perSample: Tensor };
  /** The step that `#loss` is of. */
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
    const { objective: given, shard = wholeBatch(batchSize), ...learning } = options;
    validateObjective(given);
    const objective = Object.freeze(structuredClone(given)); // a step is kept: a change to it could not be seen
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new OptionError(`batch size is ${batchSize}`, 'give a whole number of at least 1');
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
    this.#shard = shard;
    this.#method = methodOf(workspace, network, objective, batchSize, options.seed, shard);
    if (this.#method.needsTeacher) {
      this.teacher = new Teacher(
        workspace,
        objective.ema_decay_rate,
        this.weights,
        () => this.learner.frozen('teacher'),
        (weights, clip) => network.force?.(workspace, weights, clip),
      );
      this.learner.follow(this.teacher);
    }
    const image = [batchSize, ...network.input];
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#inputs = {
      x: make('x', ...image),
      z: make('z', ...image),
      t: make('t', batchSize),
      y: make('y', batchSize),
      yNull: make('null labels', batchSize),
      key: make('random key', 4),
      dropoutKey: make('dropout key', 4),
    };
    this.#training = trainingPasses(this.#inputs.dropoutKey, shard.first, objective);
    this.#loss = { values: make('batch loss', 1), slot: 0, perSample: make('loss of each sample', batchSize) };
    workspace.stream.write(this.#inputs.yNull, new Uint32Array(batchSize).fill(this.#nullLabel));
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
    const upload = () => this.#upload(copied);
    try {
      await this.learner.step({ upload, record: this.#record }, control);
      this.#lossOf = this.step;
    } finally {
      if (this.#rooms.length < MOST_ROOMS) this.#rooms.push(copied.x);
    }
  }

  /** Records the forward passes and the backward of one step, and gives its loss: the same commands in every step. */
  readonly #record = (tape: Tape): Tensor => {
    const inference = new Tape(this.workspace, { record: false, precision: this.#comparing });
    const batch = { ...this.#inputs, training: this.#training };
    this.#method.run(tape, inference, this.weights, this.teacher?.weights, batch, this.#loss).backward();
    return this.#loss.values;
  };

  /**
   * Metrics of the steps since the last call (the last 128 at most). Waits for the steps asked for before, and for the GPU.
   * @throws NonFiniteError, which carries the metrics of the sound steps, when a step's loss or gradients were not finite: it and those
   * after it were not taken, and `step` is the last sound one. DeviceError when the device is lost.
   */
  metrics(): Promise<StepMetrics[]> {
    return this.learner.metrics();
  }

  /**
   * The losses of the last step's samples with their times; undefined before the first. Waits for the GPU. @throws as `metrics`, whose
   * steps stay to be read.
   */
  sampleLosses(): Promise<SampleLosses | undefined> {
    return this.inspect(async () => {
      const step = this.#lossOf;
      if (step === undefined) return undefined;
      const [times, losses] = [this.#inputs.t, this.#loss.perSample];
      return { step, times: await this.workspace.read(times), losses: await this.workspace.read(losses) };
    });
  }

  /** Runs `body` when all steps asked for before are done and known to be sound. @throws as `metrics`. */
  inspect<T>(body: () => Promise<T>): Promise<T> {
    return this.learner.inspect(body);
  }

  /** All that a checkpoint holds, by group: model, ema, further averages, the optimiser's (m, v, s) and, where there is one of its own, teacher. */
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
  restored(step: number, optimizerStep: number, cmd: number, teacherAhead: boolean): void {
    this.#lossOf = undefined;
    this.learner.restored(step, optimizerStep);
    this.teacher?.restored(cmd, teacherAhead);
  }

  /** Frees all that the trainer made, the workspace's step arena excepted. Resolves when the memory can be had again. */
  async free(): Promise<void> {
    if (this.#freed) return;
    this.#freed = true;
    this.teacher?.free();
    this.#method.free();
    for (const tensor of [...Object.values(this.#inputs), this.#loss.values, this.#loss.perSample])
      this.workspace.free(tensor);
    await this.learner.free();
  }

  /** In what the passes compute that a target is made of: where they are subtracted from each other, not in f16. */
  get #comparing(): PassPrecision {
    const { precision = 'f32' } = this.options;
    return precision === 'mixed' && this.#method.takesDifferences ? 'f32' : precision;
  }

  get #nullLabel(): number {
    return this.network.numClasses >= 2 ? this.network.numClasses : 0;
  }

  #upload(batch: ReturnType<typeof copyBatch>): void {
    const { workspace, options, batchSize, step } = this;
    const { stream } = workspace;
    const to = this.#inputs;
    const times = batch.t ?? this.#method.times?.(step) ?? this.#times();
    const labels = Uint32Array.from(batch.labels);
    if (this.network.numClasses < 2) labels.fill(0);
    labels.fill(this.#nullLabel, firstDropped(options.objective.lab_drop_ratio, batchSize, this.#shard));
    stream.write(to.x, batch.x);
    stream.write(to.t, Float32Array.from(times));
    stream.write(to.y, labels);
    this.#method.upload(times, step);
    if (this.network.drops) stream.write(to.dropoutKey, keyOf(options.seed, STREAM.dropout, step));
    if (batch.z) {
      stream.write(to.z, batch.z as Float32Array<ArrayBuffer>);
      return;
    }
    const first = this.#shard.first * count(this.network.input);
    stream.write(to.key, keyOf(options.seed, STREAM.noise, step));
    stream.run(randomNormal.prepare(workspace.device), { key: to.key, out: to.z }, { count: to.z.count, first });
  }

  #times(): Float64Array {
    const [th1, th2, th3] = this.options.objective.time_dist_ctrl;
    const { seed } = this.options;
    const turned = isTurned(this.options.objective);
    return Float64Array.from({ length: this.batchSize }, (_, b) => {
      const t = Math.min(1, th3 * beta(seed, STREAM.time, this.step, this.#shard.first + b, th1, th2));
      return turned ? 1 - t : t;
    });
  }
}

/** The method that the objective names. @throws OptionError for a network or options that it does not have. */
function methodOf(
  workspace: Workspace,
  network: VelocityNetwork,
  objective: ObjectiveOptions,
  batch: number,
  seed: number,
  shard: Shard,
): Method {
  if (objective.method === 'RCGM') return new RecursiveMethod(workspace, network, objective, batch, seed, shard);
  if (objective.method === 'ANYSTEP') return new AnyStepMethod(workspace, network, objective, batch, seed, shard);
  return new UnifiedMethod(workspace, network, objective, batch, shard);
}

/** The key of a step's random numbers, as the kernels take it. */
function keyOf(seed: number, stream: number, step: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array([seed, stream, step, Math.floor(step / 2 ** 32)]);
}

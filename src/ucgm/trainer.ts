import { Tape } from '../autograd/tape.ts';
import { callback, either, flag, group, number, object, oneOf, optional, signal } from '../kernel/index.ts';
import { randomNormal } from '../kernels/random.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { type NetworkWeights, WeightStore } from '../nn/weights.ts';
import { Average } from '../optim/average.ts';
import { GradientClip } from '../optim/clip.ts';
import { Optimizer, type OptimizerOptions } from '../optim/optimizer.ts';
import { beta, STREAM } from '../rng/philox.ts';
import { type FlatBuffers, MAX_IN_FLIGHT, Pace, type Tensor, type Workspace, WorkspaceError } from '../tensor/index.ts';
import { type Batch, copyBatch } from './batch.ts';
import type { Method } from './method.ts';
import { firstBadParameter, NonFiniteError, refuseNonFinite } from './non_finite.ts';
import { droppedLabels, isTurned, type ObjectiveOptions, validateObjective } from './options.ts';
import { RecursiveMethod } from './rcgm.ts';
import type { StepMetrics } from './step_metrics.ts';
import { Teacher } from './teacher.ts';
import { OptionError, refuseWrong } from './transport.ts';
import { UnifiedMethod } from './unified.ts';

export interface TrainerOptions {
  objective: ObjectiveOptions;
  optimizer: OptimizerOptions;
  /** Decay of the average of the weights that is sampled from. */
  emaDecay: number;
  /** Global norm to clip gradients to; null for none. */
  maxGradNorm: number | null;
  seed: number;
  /** Keep of each block its inputs alone and run it again in the backward: less memory, the same gradients. */
  checkpointing?: boolean;
  /** Steps on the device at most while the next is recorded. Default 2. */
  maxInFlight?: number;
  /** Called between backward and clip with the flat gradients: where several devices would average them.
   * It may read and write through the stream; other work on the workspace is refused until it ends. */
  onGradients?: (gradients: FlatBuffers) => void | Promise<void>;
}

const OPTIONS = group<TrainerOptions>({
  objective: object(),
  optimizer: object(),
  emaDecay: number,
  maxGradNorm: either(number, oneOf(null)),
  seed: number,
  checkpointing: optional(flag),
  maxInFlight: optional(number),
  onGradients: optional(callback()),
});

/** How one step is run. */
export interface StepControl {
  /** Ends the wait for room on the device, or the step before it is submitted; `train` then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

const CONTROL = group<StepControl>({ signal: optional(signal) });

/** Values on the host by parameter. */
export type HostParameters = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** Steps whose metrics are kept on the device until they are read. */
export const METRICS_KEPT = 128;
const RECORD = 8;

/**
 * UCGM-T, or another method under the same trainer. One `train` call is one step: zero gradients, teacher update, objective, backward, clip, optimiser, average. It
 * records and submits; it waits only while too many steps are on the device. Every random number is a function of (seed, step).
 */
export class Trainer {
  readonly workspace: Workspace;
  readonly network: VelocityNetwork;
  readonly batchSize: number;
  readonly options: TrainerOptions;
  readonly weights: NetworkWeights;
  readonly average: NetworkWeights;
  readonly optimizer: Optimizer;
  readonly teacher: Teacher | undefined;
  /** Steps done. */
  step = 0;
  readonly #store: WeightStore;
  readonly #ema: Average;
  readonly #clip: GradientClip;
  readonly #inputs: { [K in 'x' | 'z' | 't' | 'y' | 'yNull' | 'key']: Tensor };
  readonly #method: Method;
  readonly #total: Tensor;
  readonly #ring: Tensor;
  readonly #pace: Pace;
  /** Decay of the teacher before each of the last steps. */
  readonly #cmds: number[] = [];
  /** Metrics that were looked at and not handed out. */
  readonly #unread: StepMetrics[] = [];
  /** Steps known to be sound. */
  #looked = 0;
  #failure: NonFiniteError | undefined;
  #freed = false;

  /** @throws OptionError, OptimizerError or TensorError for options, sizes or memory that do not fit. */
  constructor(workspace: Workspace, network: VelocityNetwork, batchSize: number, options: TrainerOptions) {
    refuseWrong('Trainer', OPTIONS, options);
    validateObjective(options.objective);
    if (!Number.isInteger(options.seed) || options.seed < 0 || options.seed >= 2 ** 32)
      throw new OptionError(`seed is ${options.seed}`, 'give a whole number from 0 to 4294967295');
    if (options.maxGradNorm !== null && options.maxGradNorm <= 0)
      throw new OptionError(`maxGradNorm is ${options.maxGradNorm}`, 'give a positive number, or null for no clipping');
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new OptionError(`batch size is ${batchSize}`, 'give a whole number of at least 1');
    if (!(options.emaDecay >= 0 && options.emaDecay <= 1))
      throw new OptionError(`ema_decay is ${options.emaDecay}`, 'give a number from 0 to 1');
    this.#pace = new Pace(workspace.device, options.maxInFlight ?? MAX_IN_FLIGHT);
    this.workspace = workspace;
    this.network = network;
    this.batchSize = batchSize;
    this.options = options;
    this.#store = new WeightStore(workspace, network);
    this.weights = this.#store.trainable(options.seed);
    this.average = this.#store.frozen('average');
    this.#ema = new Average(workspace, this.average.flat.values);
    this.#ema.copy(this.weights.flat.values);
    this.optimizer = new Optimizer(workspace, this.weights.flat, options.optimizer);
    this.#clip = new GradientClip(workspace, this.weights.flat.gradients as FlatBuffers, options.maxGradNorm);
    this.#method =
      options.objective.method === 'RCGM'
        ? new RecursiveMethod(workspace, network, options.objective, batchSize, options.seed)
        : new UnifiedMethod(workspace, network, options.objective, batchSize);
    if (this.#method.needsTeacher) {
      this.teacher = new Teacher(workspace, options.objective.ema_decay_rate, this.weights, () =>
        this.#store.frozen('teacher'),
      );
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
    };
    this.#total = make('loss', 1);
    this.#ring = make('metrics', METRICS_KEPT, RECORD);
    workspace.stream.write(this.#inputs.yNull, new Uint32Array(batchSize).fill(this.#nullLabel));
  }

  /**
   * Trains on one batch, after all that was asked of the workspace before; the batch is copied now. Waits while `maxInFlight` steps
   * are on the device. A step that fails or is aborted leaves weights, average, teacher and step number as they were.
   * @throws OptionError for a batch that does not fit; NonFiniteError after a step that could not be taken; the signal's reason;
   * WorkspaceError once freed; DeviceError when the device is lost; KernelError or BufferLimitError where it is too small.
   */
  async train(batch: Batch, control: StepControl = {}): Promise<void> {
    refuseWrong('train', CONTROL, control);
    const copied = copyBatch(batch, this.batchSize, this.network);
    await this.workspace.task(() => this.#train(copied, control.signal));
  }

  async #train(batch: Batch, signal?: AbortSignal): Promise<void> {
    const { workspace, optimizer, teacher } = this;
    this.#usable();
    await this.#pace.room(signal);
    if (this.step - this.#looked >= METRICS_KEPT) await this.#look();
    teacher?.begin(); // before the step: it is not forgotten with one that fails
    workspace.beginStep();
    const before = { optimizer: optimizer.step, cmd: teacher?.cmd ?? 0 };
    try {
      await this.#run(batch);
      signal?.throwIfAborted();
      await workspace.stream.flush();
    } catch (error) {
      optimizer.step = before.optimizer;
      if (teacher) teacher.cmd = before.cmd;
      await workspace.abandonStep();
      throw error;
    }
    this.#pace.submitted();
    this.#cmds[this.step % METRICS_KEPT] = before.cmd;
    this.step++;
  }

  /** Records one step. */
  async #run(batch: Batch): Promise<void> {
    const { workspace, options } = this;
    const { onGradients } = options;
    this.#upload(batch);
    this.weights.flat.gradients?.clear();
    const tape = new Tape(workspace, { record: true, checkpointing: options.checkpointing ?? false });
    const inference = new Tape(workspace, { record: false });
    const total = { values: this.#total, slot: 0 };
    const result = this.#method.run(tape, inference, this.weights, this.teacher?.weights, this.#inputs, total);
    result.backward();
    if (onGradients) await workspace.callback(() => onGradients(this.weights.flat.gradients as FlatBuffers));
    workspace.stream.hold();
    const clip = this.#clip.result;
    this.#clip.measure(this.#total);
    this.optimizer.update(clip);
    this.#ema.update(this.weights.flat.values, options.emaDecay, clip);
    this.teacher?.update(clip);
    this.#record();
  }

  /**
   * Metrics of the steps since the last call (the last 128 at most). Waits for the steps asked for before, and for the GPU.
   * @throws NonFiniteError, which carries the metrics of the sound steps, when a step's loss or gradients were not finite: it and those
   * after it were not taken, and `step` is the last sound one. DeviceError when the device is lost.
   */
  async metrics(): Promise<StepMetrics[]> {
    return this.inspect(async () => this.#unread.splice(0));
  }

  /** Runs `body` when all steps asked for before are done and known to be sound. @throws as `metrics`. */
  inspect<T>(body: () => Promise<T>): Promise<T> {
    return this.workspace.task(async () => {
      if (this.#freed) this.#usable();
      await this.#look();
      return body();
    });
  }

  /** Reads what the steps since the last look measured. @throws NonFiniteError when one of them was not taken. */
  async #look(): Promise<void> {
    const from = Math.max(this.#looked, this.step - METRICS_KEPT);
    if (from === this.step) return;
    const ring = await this.workspace.read(this.#ring);
    for (let step = from; step < this.step; step++) {
      const at = (step % METRICS_KEPT) * RECORD;
      const [loss, gradNorm, nonFinite, held] = [0, 5, 6, 7].map((i) => ring[at + i] as number) as [
        number,
        number,
        number,
        number,
      ];
      if (held === 1) await this.#stop(step, loss, nonFinite);
      this.#unread.push({ step: step + 1, loss, gradNorm, nonFinite });
      this.#unread.splice(0, this.#unread.length - METRICS_KEPT);
      this.#looked = step + 1;
    }
  }

  /** Takes the numbers of the host back to the last sound step, and says why. */
  async #stop(sound: number, loss: number, nonFinite: number): Promise<never> {
    const { optimizer, teacher, weights } = this;
    optimizer.step -= this.step - sound;
    if (teacher) teacher.cmd = this.#cmds[sound % METRICS_KEPT] as number;
    this.step = sound;
    this.#looked = sound;
    const weight = await firstBadParameter(weights.flat.values);
    const gradient = weight ?? (await firstBadParameter(weights.flat.gradients as FlatBuffers));
    const where = weight ? `the weights ${weight} are not` : gradient ? `the gradient of ${gradient} is the first` : '';
    this.#failure = new NonFiniteError(
      `step ${sound + 1} was not taken: loss ${loss}, ${nonFinite} gradients not finite${where && `; ${where}`}; ` +
        `the weights are those of step ${sound}`,
      'restore an earlier checkpoint, and lower the learning rate or set maxGradNorm',
      { step: sound + 1, tensor: gradient, metrics: this.#unread.splice(0) },
    );
    throw this.#failure;
  }

  #usable(): void {
    if (this.#freed) throw new WorkspaceError('the trainer was freed', 'make a new one');
    if (this.#failure) throw this.#failure;
  }

  /** All that a checkpoint holds, by group: model, ema, the optimiser's (m, v, s) and, where there is one of its own, teacher. */
  groups(): Map<string, FlatBuffers> {
    const groups = new Map([
      ['model', this.weights.flat.values],
      ['ema', this.average.flat.values],
      ...this.optimizer.groups(),
    ]);
    if (this.teacher && this.teacher.weights !== this.weights) groups.set('teacher', this.teacher.weights.flat.values);
    return groups;
  }

  /**
   * Puts given weights, by parameter, in the place of the initialisation; the average starts as their copy, and so does a frozen
   * teacher, if it is not given weights of its own.
   * @throws NonFiniteError by name, OptionError for a teacher's weights where the objective has no frozen teacher.
   */
  startFrom(weights: HostParameters, teacher?: HostParameters): void {
    if (teacher && !this.teacher?.isFrozen)
      throw new OptionError('the objective has no frozen teacher', 'leave the teacher out, or set ema_decay_rate to 1');
    refuseNonFinite('the weights to start from:', weights);
    if (teacher) refuseNonFinite("the teacher's weights:", teacher);
    this.weights.flat.values.write(weights);
    this.average.flat.values.write(weights);
    this.teacher?.start(teacher);
  }

  /** Takes up where a checkpoint stopped, after its groups were written. */
  restored(step: number, optimizerStep: number, cmd: number, teacherAhead: boolean): void {
    this.step = step;
    this.#looked = step;
    this.#unread.length = 0;
    this.#failure = undefined;
    this.#clip.release();
    this.optimizer.step = optimizerStep;
    this.teacher?.restored(cmd, teacherAhead);
  }

  /** Frees all that the trainer made, the workspace's step arena excepted. Resolves when the memory can be had again. */
  async free(): Promise<void> {
    if (this.#freed) return;
    this.#freed = true;
    this.#store.free();
    this.optimizer.free();
    this.#clip.free();
    this.#ema.free();
    this.teacher?.free();
    this.#method.free();
    for (const tensor of [...Object.values(this.#inputs), this.#total, this.#ring]) this.workspace.free(tensor);
    await this.workspace.ledger.reclaim();
  }

  get #nullLabel(): number {
    return this.network.numClasses >= 2 ? this.network.numClasses : 0;
  }

  #upload(batch: Batch): void {
    const { workspace, options, batchSize, step } = this;
    const { stream } = workspace;
    const to = this.#inputs;
    const times = batch.t ?? this.#times();
    const labels = Uint32Array.from(batch.labels);
    if (this.network.numClasses < 2) labels.fill(0);
    labels.fill(this.#nullLabel, batchSize - droppedLabels(options.objective.lab_drop_ratio, batchSize));
    stream.write(to.x, batch.x as Float32Array<ArrayBuffer>);
    stream.write(to.t, Float32Array.from(times));
    stream.write(to.y, labels);
    this.#method.upload(times, this.step);
    if (batch.z) {
      stream.write(to.z, batch.z as Float32Array<ArrayBuffer>);
      return;
    }
    stream.write(to.key, new Uint32Array([options.seed, STREAM.noise, step, Math.floor(step / 2 ** 32)]));
    stream.run(randomNormal.prepare(workspace.device), { key: to.key, out: to.z }, { count: to.z.count, first: 0 });
  }

  #times(): Float64Array {
    const [th1, th2, th3] = this.options.objective.time_dist_ctrl;
    const { seed } = this.options;
    const turned = isTurned(this.options.objective);
    return Float64Array.from({ length: this.batchSize }, (_, b) => {
      const t = Math.min(1, th3 * beta(seed, STREAM.time, this.step, b, th1, th2));
      return turned ? 1 - t : t;
    });
  }

  /** Copies this step's loss and gradient numbers into the ring, to be read later without a wait now. */
  #record(): void {
    const { stream } = this.workspace;
    const first = (this.step % METRICS_KEPT) * RECORD;
    stream.copy(this.#total, this.#ring.slice(first, 1));
    stream.copy(this.#clip.result, this.#ring.slice(first + 4, 4));
  }
}

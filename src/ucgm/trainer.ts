import { Tape } from '../autograd/tape.ts';
import { randomNormal } from '../kernels/random.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import { type NetworkWeights, WeightStore } from '../nn/weights.ts';
import { Average } from '../optim/average.ts';
import { GradientClip } from '../optim/clip.ts';
import { Optimizer, type OptimizerOptions } from '../optim/optimizer.ts';
import { beta, STREAM } from '../rng/philox.ts';
import { count, type FlatBuffers, Storage, Tensor, type Workspace } from '../tensor/index.ts';
import type { Method } from './method.ts';
import { droppedLabels, isTurned, type ObjectiveOptions, validateObjective } from './options.ts';
import { RecursiveMethod } from './rcgm.ts';
import { Teacher } from './teacher.ts';
import { OptionError } from './transport.ts';
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
  /** Called between backward and clip with the flat gradients: where several devices would average them. */
  onGradients?: (gradients: FlatBuffers) => void | Promise<void>;
}

/** Values on the host by parameter. */
export type HostParameters = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/** Host side of one batch. */
export interface Batch {
  /** Data [B, C, H, W], -1..1. */
  readonly x: Float32Array<ArrayBuffer>;
  /** Labels [B], none dropped yet. */
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Noise and times given from outside instead of drawn: to follow a recorded run. */
  readonly z?: Float32Array<ArrayBuffer>;
  readonly t?: ArrayLike<number>;
}

/** What one step measured. */
export interface StepMetrics {
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** Gradients that were NaN or infinite, and counted as 0. */
  readonly nonFinite: number;
}

/** Steps whose metrics are kept on the device until they are read. */
export const METRICS_KEPT = 128;
const RECORD = 8;

/**
 * UCGM-T, or another method under the same trainer. One `train` call is one step: zero gradients, teacher update, objective, backward, clip, optimiser, average. It
 * records and submits; it does not wait for the GPU. Every random number is a function of (seed, step).
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
  #reported = 0;

  /** @throws OptionError, OptimizerError or RangeError for options, sizes or memory that do not fit. */
  constructor(workspace: Workspace, network: VelocityNetwork, batchSize: number, options: TrainerOptions) {
    validateObjective(options.objective);
    if (!Number.isInteger(batchSize) || batchSize < 1)
      throw new OptionError(`batch size is ${batchSize}`, 'give a whole number of at least 1');
    if (!(options.emaDecay >= 0 && options.emaDecay <= 1))
      throw new OptionError(`ema_decay is ${options.emaDecay}`, 'give a number from 0 to 1');
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
   * Trains on one batch. A step that fails leaves weights and step number as they were.
   * @throws OptionError for a batch of the wrong size or an unknown label; KernelError or BufferLimitError where the device is too small.
   */
  async train(batch: Batch): Promise<void> {
    this.#check(batch);
    this.teacher?.update(); // before the step: it is not forgotten with one that fails
    this.workspace.beginStep();
    const { step } = this.optimizer;
    try {
      await this.#run(batch);
      await this.workspace.stream.flush();
    } catch (error) {
      this.optimizer.step = step;
      await this.workspace.abandonStep();
      throw error;
    }
    this.step++;
  }

  /** Records one step. */
  async #run(batch: Batch): Promise<void> {
    const { workspace, options } = this;
    this.#upload(batch);
    this.weights.flat.gradients?.clear();
    const tape = new Tape(workspace, { record: true, checkpointing: options.checkpointing ?? false });
    const inference = new Tape(workspace, { record: false });
    const total = { values: this.#total, slot: 0 };
    const result = this.#method.run(tape, inference, this.weights, this.teacher?.weights, this.#inputs, total);
    result.backward();
    await options.onGradients?.(this.weights.flat.gradients as FlatBuffers);
    this.#clip.measure();
    this.optimizer.update(this.#clip.result);
    this.#ema.update(this.weights.flat.values, options.emaDecay);
    this.#record();
  }

  /** Metrics of the steps since the last call (the last 128 at most). Waits for the GPU. */
  async metrics(): Promise<StepMetrics[]> {
    const [from, to] = [Math.max(this.#reported, this.step - METRICS_KEPT), this.step];
    this.#reported = to;
    const ring = await this.workspace.read(this.#ring);
    const out: StepMetrics[] = [];
    for (let step = from; step < to; step++) {
      const at = (step % METRICS_KEPT) * RECORD;
      out.push({
        step: step + 1,
        loss: ring[at] as number,
        gradNorm: ring[at + 5] as number,
        nonFinite: ring[at + 6] as number,
      });
    }
    return out;
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
   * @throws OptionError for a teacher's weights where the objective has no frozen teacher.
   */
  startFrom(weights: HostParameters, teacher?: HostParameters): void {
    if (teacher && !this.teacher?.isFrozen)
      throw new OptionError('the objective has no frozen teacher', 'leave the teacher out, or set ema_decay_rate to 1');
    this.weights.flat.values.write(weights);
    this.average.flat.values.write(weights);
    this.teacher?.start(teacher);
  }

  /** Takes up where a checkpoint stopped, after its groups were written. */
  restored(step: number, optimizerStep: number, cmd: number): void {
    this.step = step;
    this.#reported = step;
    this.optimizer.step = optimizerStep;
    this.teacher?.restored(cmd);
  }

  /** Frees all that the trainer made, the workspace's step arena excepted. Resolves when the memory can be had again. */
  async free(): Promise<void> {
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
    const labels = batch.labels.slice();
    if (this.network.numClasses < 2) labels.fill(0);
    labels.fill(this.#nullLabel, batchSize - droppedLabels(options.objective.lab_drop_ratio, batchSize));
    stream.write(to.x, batch.x);
    stream.write(to.t, Float32Array.from(times));
    stream.write(to.y, labels);
    this.#method.upload(times, this.step);
    if (batch.z) {
      stream.write(to.z, batch.z);
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

  #check(batch: Batch): void {
    const pixels = count(this.network.input) * this.batchSize;
    if (batch.x.length !== pixels || batch.labels.length !== this.batchSize) {
      throw new OptionError(
        `a batch of ${batch.labels.length} labels and ${batch.x.length} numbers does not fit`,
        `give ${this.batchSize} labels and ${pixels} numbers ([${[this.batchSize, ...this.network.input]}])`,
      );
    }
    const limit = this.#nullLabel;
    const bad = this.network.numClasses >= 2 ? batch.labels.find((y) => y > limit) : undefined;
    if (bad !== undefined)
      throw new OptionError(`label ${bad} is not below num_classes ${limit}`, 'set num_classes to the data set');
  }

  /** Copies this step's loss and gradient numbers into the ring, to be read later without a wait now. */
  #record(): void {
    const { stream } = this.workspace;
    const at = (this.step % METRICS_KEPT) * RECORD * 4;
    const slice = (offset: number, words: number) =>
      new Tensor([words], new Storage(this.#ring.buffer, at + offset, words * 4));
    stream.copy(this.#total, slice(0, 1));
    stream.copy(this.#clip.result, slice(16, 4));
  }
}

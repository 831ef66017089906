import { Tape } from '../autograd/tape.ts';
import { randomNormal } from '../kernels/random.ts';
import type { VelocityNetwork } from '../nn/network.ts';
import type { NetworkWeights } from '../nn/weights.ts';
import type { StepPart } from '../optim/learner.ts';
import { beta, STREAM } from '../rng/philox.ts';
import type { Shard } from '../rng/shard.ts';
import { count, type PassPrecision, type Tensor, type Workspace } from '../tensor/index.ts';
import { AnyStepMethod } from './anystep.ts';
import type { Batch } from './batch.ts';
import type { Method } from './method.ts';
import type { LossPlace, TrainingPasses } from './objective.ts';
import { firstDropped, isTurned, type ObjectiveOptions } from './options.ts';
import { RecursiveMethod } from './rcgm.ts';
import type { Teacher } from './teacher.ts';
import { trainingPasses } from './training_passes.ts';
import { UnifiedMethod } from './unified.ts';

/** What the parts of a trainer's steps have in common. */
export interface PartContext {
  readonly workspace: Workspace;
  readonly network: VelocityNetwork;
  readonly objective: ObjectiveOptions;
  readonly seed: number;
  /** In what the passes compute. */
  readonly precision: PassPrecision;
}

/** What one pass of a trainer's step has of its own: the tensors of its samples, and a method for them. */
export class SamplesPart {
  /** Samples. */
  readonly size: number;
  /** Where they are in the whole batch. */
  readonly shard: Shard;
  readonly #context: PartContext;
  readonly #inputs: { [K in 'x' | 'z' | 't' | 'y' | 'yNull' | 'key' | 'dropoutKey']: Tensor };
  readonly #training: TrainingPasses;
  readonly #method: Method;
  readonly #loss: LossPlace & { readonly perSample: Tensor };

  constructor(context: PartContext, size: number, shard: Shard) {
    const { workspace, network, objective } = context;
    this.size = size;
    this.shard = shard;
    this.#context = context;
    this.#method = methodOf(context, size, shard);
    const image = [size, ...network.input];
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#inputs = {
      x: make('x', ...image),
      z: make('z', ...image),
      t: make('t', size),
      y: make('y', size),
      yNull: make('null labels', size),
      key: make('random key', 4),
      dropoutKey: make('dropout key', 4),
    };
    this.#training = trainingPasses(this.#inputs.dropoutKey, shard.first, objective);
    this.#loss = { values: make('batch loss', 1), slot: 0, perSample: make('loss of each sample', size) };
    workspace.stream.write(this.#inputs.yNull, new Uint32Array(size).fill(this.#nullLabel));
  }

  /** True when its method compares with a teacher. */
  get needsTeacher(): boolean {
    return this.#method.needsTeacher;
  }

  /** Records the forward passes and the backward, and gives the loss: the same commands in every step. */
  recorder(online: NetworkWeights, teacher: Teacher | undefined): StepPart['record'] {
    const { workspace } = this.#context;
    return (tape) => {
      const inference = new Tape(workspace, { record: false, precision: this.#comparing });
      const batch = { ...this.#inputs, training: this.#training };
      this.#method.run(tape, inference, online, teacher?.weights, batch, this.#loss).backward();
      return this.#loss.values;
    };
  }

  /** Writes what changes from step to step. @param batch copied, of which the samples from `first` on are this part's. */
  upload(batch: Batch & { readonly x: Float32Array<ArrayBuffer> }, first: number, step: number): void {
    const { workspace, network, objective, seed } = this.#context;
    const { stream } = workspace;
    const to = this.#inputs;
    const one = count(network.input);
    const mine = <T extends Float32Array | Float64Array | Uint32Array>(all: T, each = 1): T =>
      all.subarray(first * each, (first + this.size) * each) as T;
    const usual = () => this.#times(step);
    const times = batch.t ? mine(Float64Array.from(batch.t)) : (this.#method.times?.(step, usual) ?? usual());
    const labels = mine(Uint32Array.from(batch.labels));
    if (network.numClasses < 2) labels.fill(0);
    labels.fill(this.#nullLabel, firstDropped(objective.lab_drop_ratio, this.size, this.shard));
    stream.write(to.x, mine(batch.x, one));
    stream.write(to.t, Float32Array.from(times));
    stream.write(to.y, labels);
    this.#method.upload(times, step);
    if (network.drops) stream.write(to.dropoutKey, keyOf(seed, STREAM.dropout, step));
    if (batch.z) {
      stream.write(to.z, mine(batch.z as Float32Array<ArrayBuffer>, one));
      return;
    }
    stream.write(to.key, keyOf(seed, STREAM.noise, step));
    const dims = { count: to.z.count, first: this.shard.first * one };
    stream.run(randomNormal.prepare(workspace.device), { key: to.key, out: to.z }, dims);
  }

  /** Times and losses of its samples in the last step. Waits for the GPU. */
  async sampleLosses(): Promise<{ times: Float32Array; losses: Float32Array }> {
    const { workspace } = this.#context;
    return { times: await workspace.read(this.#inputs.t), losses: await workspace.read(this.#loss.perSample) };
  }

  free(): void {
    this.#method.free();
    for (const tensor of [...Object.values(this.#inputs), this.#loss.values, this.#loss.perSample])
      this.#context.workspace.free(tensor);
  }

  /** In what the passes compute that a target is made of: where they are subtracted from each other, not in f16. */
  get #comparing(): PassPrecision {
    const { precision } = this.#context;
    return precision === 'mixed' && this.#method.takesDifferences ? 'f32' : precision;
  }

  get #nullLabel(): number {
    const { numClasses } = this.#context.network;
    return numClasses >= 2 ? numClasses : 0;
  }

  #times(step: number): Float64Array<ArrayBuffer> {
    const { objective, seed } = this.#context;
    const [th1, th2, th3] = objective.time_dist_ctrl;
    const turned = isTurned(objective);
    const times = new Float64Array(this.size);
    for (let b = 0; b < times.length; b++) {
      const t = Math.min(1, th3 * beta(seed, STREAM.time, step, this.shard.first + b, th1, th2));
      times[b] = turned ? 1 - t : t;
    }
    return times;
  }
}

/** The method that the objective names. @throws OptionError for a network or options that it does not have. */
function methodOf({ workspace, network, objective, seed }: PartContext, batch: number, shard: Shard): Method {
  if (objective.method === 'RCGM') return new RecursiveMethod(workspace, network, objective, batch, seed, shard);
  if (objective.method === 'ANYSTEP') return new AnyStepMethod(workspace, network, objective, batch, seed, shard);
  return new UnifiedMethod(workspace, network, objective, batch, shard);
}

/** The key of a step's random numbers, as the kernels take it. */
function keyOf(seed: number, stream: number, step: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array([seed, stream, step, Math.floor(step / 2 ** 32)]);
}

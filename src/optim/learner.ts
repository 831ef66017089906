import { Tape } from '../autograd/tape.ts';
import { checkOptions, group } from '../kernel/index.ts';
import { lossTotal } from '../kernels/loss.ts';
import type { Module } from '../nn/network.ts';
import { type NetworkWeights, WeightStore } from '../nn/weights.ts';
import {
  checkPrecision,
  type FlatBuffers,
  MAX_IN_FLIGHT,
  Pace,
  Tensor,
  type Workspace,
  WorkspaceError,
} from '../tensor/index.ts';
import { Average } from './average.ts';
import { Averages } from './averages.ts';
import { GradientClip } from './clip.ts';
import { EachLoss } from './each_loss.ts';
import type { Follower } from './follower.ts';
import { HalfWeights } from './half_weights.ts';
import { LearnerError } from './learner_error.ts';
import {
  LEARNER_OPTIONS,
  type LearnerOptions,
  STEP_CONTROL,
  type StepControl,
  wrongNumbers,
} from './learner_options.ts';
import { LocalSteps, wrongRound } from './local_steps.ts';
import { LossScale } from './loss_scale.ts';
import { type NonFiniteError, refuseNonFinite, stepNotTaken } from './non_finite.ts';
import { Optimizer } from './optimizer.ts';
import { Passes, partsOf, type SteadyStep, type StepBody, type StepPart } from './passes.ts';
import { METRICS_KEPT, StepLog } from './step_log.ts';
import type { StepMetrics } from './step_metrics.ts';
import { hookWeights } from './weight_hook.ts';

export type { SteadyStep, StepBody, StepPart } from './passes.ts';

const OPTIONS = group<LearnerOptions>(LEARNER_OPTIONS, wrongNumbers);

/** Values on the host by parameter. */
export type HostParameters = ReadonlyMap<string, Float32Array<ArrayBuffer>>;

/**
 * Trains any module: its weights, gradients, optimiser and average. One `step` is: zero gradients, what the body records, backward,
 * clip, optimiser, average. It records and submits, and waits only while too many steps are on the device.
 */
export class Learner {
  readonly workspace: Workspace;
  readonly module: Module;
  readonly options: LearnerOptions;
  readonly weights: NetworkWeights;
  readonly average: NetworkWeights;
  readonly optimizer: Optimizer;
  /** In mixed precision. */
  readonly lossScale: LossScale | undefined;
  #steps = 0;
  readonly #store: WeightStore;
  readonly #gradients: FlatBuffers;
  readonly #halves: HalfWeights;
  readonly #ema: Average;
  readonly #averages: Averages;
  readonly #clip: GradientClip;
  readonly #loss: Tensor;
  readonly #log: StepLog;
  readonly #pace: Pace;
  readonly #followers: Follower[] = [];
  /** Ways back to before each of the last steps. */
  readonly #back: (() => void)[] = [];
  /** Metrics that were looked at and not handed out. */
  readonly #unread: StepMetrics[] = [];
  /** Steps known to be sound. */
  #looked = 0;
  #failure: NonFiniteError | undefined;
  #freed = false;
  /** The way back to before the step that is being recorded. */
  #before: () => void = () => {};
  readonly #each: EachLoss;
  readonly #local: LocalSteps | undefined;
  /** Of gradients. */
  readonly #averager: LearnerOptions['averager'];
  readonly #passes: Passes;

  /** @throws LearnerError, OptimizerError, PrecisionError or TensorError for options, sizes or memory that do not fit. */
  constructor(workspace: Workspace, module: Module, options: LearnerOptions) {
    checkOptions(OPTIONS, options, (what, fix) => new LearnerError(`Learner: ${what}`, fix));
    if (!Array.isArray(module?.parameters) || !Array.isArray(module.constants))
      throw new LearnerError('the module has no parameters or no constants', 'give { parameters, constants }');
    checkPrecision(options.precision ?? 'f32', workspace.caps, module);
    const mixed = options.precision === 'mixed';
    this.#pace = new Pace(workspace.device, options.maxInFlight ?? MAX_IN_FLIGHT);
    this.workspace = workspace;
    this.module = module;
    this.options = options;
    this.#store = new WeightStore(workspace, module, mixed && module.halves === true);
    this.weights = this.#store.trainable(options.seed);
    this.#gradients = this.weights.flat.gradients as FlatBuffers;
    this.#halves = new HalfWeights(workspace, this.weights.flat);
    this.average = this.#store.frozen('average');
    this.#ema = new Average(workspace, this.average.flat.values);
    this.#ema.copy(this.weights.flat.values);
    this.#averages = new Averages(workspace, this.#store, this.weights.flat.values, options.emaDecays ?? []);
    this.optimizer = new Optimizer(workspace, this.weights.flat, options.optimizer);
    this.lossScale = mixed ? new LossScale(workspace) : undefined;
    this.#clip = new GradientClip(workspace, this.#gradients, options.maxGradNorm, this.lossScale?.state);
    this.#loss = workspace.create('data', 'loss', [1]);
    this.#log = new StepLog(workspace);
    this.#each = new EachLoss(workspace);
    const { localSteps, averager } = options;
    this.#local = localSteps && new LocalSteps(workspace, this.weights.flat, localSteps);
    this.#averager = localSteps ? undefined : averager;
    this.#passes = new Passes(workspace, this.#gradients, this.#loss, (body) => this.#pass(body));
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /** Every average by its decay: `average`, and those of `emaDecays`. */
  get averages(): Map<number, NetworkWeights> {
    return new Map([[this.options.emaDecay, this.average], ...this.#averages.byDecay()]);
  }

  /** Another set of the module's weights, all zeros, without gradients; freed with the learner. */
  frozen(label: string): NetworkWeights {
    return this.#store.frozen(label);
  }

  /** Updates something else with every step from now on. */
  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  /**
   * One step, after all that was asked of the workspace before. Waits while `maxInFlight` steps are on the device. A step that fails or is
   * aborted leaves weights, moments, average and step number as they were.
   * @throws LearnerError or TapeError for a body that breaks the rules, and what it throws; NonFiniteError after a step that could not be
   * taken; the signal's reason; WorkspaceError once freed; DeviceError when the device is lost; KernelError or BufferLimitError where
   * it is too small.
   */
  async step(body: StepBody | SteadyStep | readonly StepPart[], control: StepControl = {}): Promise<void> {
    checkOptions(STEP_CONTROL, control, (what, fix) => new LearnerError(`step: ${what}`, fix));
    const parts = typeof body === 'function' ? body : partsOf(body);
    await this.workspace.task(async () => {
      await this.#step(parts, control.signal);
      if (this.#local?.endsAt(this.#steps)) await this.#endRound();
    });
  }

  /**
   * Makes the outer step of local steps now, of those taken since the last; none where none were. Called on all devices after the same step.
   * @throws NonFiniteError, on all devices, where a step of one was not finite: the outer step is then not made.
   */
  async endRound(): Promise<void> {
    await this.workspace.task(() => this.#endRound());
  }

  /** The step after which the present round of local steps began: part of a checkpoint. Without local steps that of now. */
  get roundBegan(): number {
    return this.#local?.began ?? this.#steps;
  }

  async #endRound(): Promise<void> {
    const { workspace, options, lossScale } = this;
    this.#usable();
    if (!this.#local || this.#local.began === this.#steps) return;
    this.#failure = await wrongRound(() => this.#look(), options.averager, this.#steps, this.#unread);
    if (this.#failure) throw this.#failure;
    try {
      // What a loss is multiplied by is each device's own within a round, and begins as the mean of all.
      const shared = lossScale?.state.slice(0, 1) ?? this.#loss;
      const steps = await this.#local.end(this.#steps, options.averager, shared);
      this.#halves.update();
      this.#ema.update(this.weights.flat.values, options.emaDecay ** steps);
      this.#averages.update(this.weights.flat.values, undefined, steps);
      await workspace.stream.flush();
    } catch (error) {
      this.#halves.forget();
      await workspace.abandonStep();
      throw error;
    }
  }

  async #step(body: StepBody | readonly SteadyStep[], signal?: AbortSignal): Promise<void> {
    const { workspace } = this;
    this.#usable();
    const behind = await this.#pace.room(signal);
    if (this.#steps - this.#looked >= METRICS_KEPT) await this.#look();
    for (const follower of this.#followers) follower.begin();
    workspace.beginStep();
    // Each submit costs the host; an averager has its numbers sent while the rest is recorded.
    if (behind && !this.#averager) workspace.stream.hold();
    this.#before = this.#mark();
    try {
      await this.#record(body);
      signal?.throwIfAborted();
      await workspace.stream.flush();
    } catch (error) {
      this.#before();
      this.#halves.forget();
      await workspace.abandonStep();
      this.#each.free(); // what was written into them went with the step
      this.#passes.free();
      throw error;
    }
    this.#pace.submitted();
    this.#back[this.#steps % METRICS_KEPT] = this.#before;
    this.lossScale?.submitted(this.#before);
    this.#steps++;
  }

  async #record(body: StepBody | readonly SteadyStep[]): Promise<void> {
    const { workspace, lossScale } = this;
    const [averager, { onGradients }] = [this.#averager, this.options];
    this.#halves.begin();
    const ranges = await averager?.begin(this.#gradients, this.#loss);
    if (typeof body === 'function') this.#pass(body);
    else await this.#passes.record(body, averager, ranges);
    let rest: Promise<void> | undefined;
    const update = () => (rest ??= this.#update());
    if (averager) await workspace.callback(() => averager.finish(onGradients ? undefined : update));
    if (onGradients) await workspace.callback(() => onGradients(this.#gradients));
    if (lossScale?.unsettled) await workspace.stream.flush({ goesOn: true }); // the device works on while the host waits
    await update();
  }

  /** Records what follows on a step's gradients. */
  async #update(): Promise<void> {
    const { options, workspace, lossScale } = this;
    const weights = this.weights.flat.values;
    if (lossScale?.unsettled) {
      await lossScale.settle();
      this.#before = this.#mark();
    }
    workspace.stream.hold();
    const clip = this.#clip.result;
    this.#clip.measure(this.#loss);
    // A hook comes between optimiser and average: only without one can they be one pass.
    const fused = !options.onWeights && this.optimizer.fuses;
    const average = fused && !this.#local ? { values: this.#ema.values, decay: options.emaDecay } : undefined;
    this.module.force?.(workspace, this.weights, clip);
    this.optimizer.update(clip, average, fused ? this.#halves.copy : undefined);
    if (options.onWeights) hookWeights(workspace, weights, clip, options.onWeights);
    if (!fused && !this.#local) this.#ema.update(weights, options.emaDecay, clip);
    if (!fused) this.#halves.update();
    if (!this.#local) this.#averages.update(weights, clip);
    for (const follower of this.#followers) follower.update(clip);
    this.#log.record(this.#steps, this.#loss, clip, this.lossScale?.state);
    this.lossScale?.record();
  }

  /** Records zeroed gradients, the body and its backward. */
  #pass(body: StepBody): void {
    this.#gradients.clear();
    const { checkpointing = false, precision = 'f32' } = this.options;
    const how = { checkpointing, precision, sends: this.#averager !== undefined };
    const lossScale = this.lossScale && { lossScale: this.lossScale.state };
    const tape = new Tape(this.workspace, { record: true, ...how, ...lossScale });
    this.#walk(tape, body(tape, this.weights));
  }

  /** Keeps the mean of a body's loss, and walks the tape back from it, unless the body has done so. */
  #walk(tape: Tape, loss: Tensor): void {
    const { stream, device } = this.workspace;
    if (!(loss instanceof Tensor) || loss.count === 0) {
      Promise.resolve(loss).catch(() => {}); // where it waits, this error says more than its own
      throw new LearnerError(
        `the body of a step gave ${loss instanceof Tensor ? `a loss of shape [${loss.shape}]` : 'no tensor'}`,
        'record without waiting, and return the loss',
      );
    }
    if (loss.storage.references < 1)
      throw new LearnerError(
        'the loss was freed by the backward from it',
        'return it without a call of backward: the learner makes it',
      );
    const { count } = loss;
    if (count === 1) stream.copy(loss.view(1), this.#loss);
    else {
      const buffers = { per_sample: loss, weights: this.#each.of('weight', 1, count), total: this.#loss };
      tape.run(lossTotal.prepare(device), buffers, { batch: count, slot: 0, slots: 1 });
    }
    if (!tape.walked) tape.backward(loss, this.#each.of('gradient', 1 / count, count).view(...loss.shape));
  }

  /**
   * Metrics of the steps since the last call (the last 128 at most). Waits for the steps asked for before, and for the GPU.
   * @throws NonFiniteError, which carries the metrics of the sound steps, when a step's loss or gradients were not finite: it and those
   * after it were not taken, and `steps` is the last sound one. DeviceError when the device is lost.
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
    await this.lossScale?.settle();
    const from = Math.max(this.#looked, this.#steps - METRICS_KEPT);
    if (from === this.#steps) return;
    for (const { held, ...metrics } of await this.#log.read(from, this.#steps)) {
      if (held) await this.#stop(metrics);
      this.#unread.push(metrics);
      this.#unread.splice(0, this.#unread.length - METRICS_KEPT);
      this.#looked = metrics.step;
    }
  }

  /** Takes the numbers of the host back to the last sound step, and says why. */
  async #stop(metrics: StepMetrics): Promise<never> {
    this.#steps = metrics.step - 1;
    this.#looked = this.#steps;
    this.#back[this.#steps % METRICS_KEPT]?.();
    this.#failure = await stepNotTaken(
      metrics,
      this.weights.flat,
      this.#unread.splice(0),
      this.lossScale !== undefined,
    );
    throw this.#failure;
  }

  /** The way back to the numbers of the host as they are now. */
  #mark(): () => void {
    const { step } = this.optimizer;
    const others = this.#followers.map((follower) => follower.mark());
    return () => {
      this.optimizer.step = step;
      for (const back of others) back();
    };
  }

  #usable(): void {
    if (this.#freed) throw new WorkspaceError('the trainer or learner was freed', 'make a new one');
    if (this.#failure) throw this.#failure;
  }

  /** All that a checkpoint holds by parameter: model, ema, further averages, and the optimiser's (m, v, s). */
  groups(): Map<string, FlatBuffers> {
    return new Map([
      ['model', this.weights.flat.values],
      ['ema', this.average.flat.values],
      ...this.#averages.groups(),
      ...this.optimizer.groups(),
      ...(this.#local?.groups() ?? []),
    ]);
  }

  /**
   * Puts given weights, by parameter, in the place of the initialisation; the averages start as their copies.
   * @throws NonFiniteError by name; TensorError for those of another module.
   */
  startFrom(weights: HostParameters): void {
    refuseNonFinite('the weights to start from:', weights);
    this.weights.flat.values.write(weights);
    for (const average of this.averages.values()) average.flat.values.write(weights);
    this.#local?.restart(this.#steps);
  }

  /** Takes up where a checkpoint stopped, after its groups were written. */
  restored(step: number, optimizerStep: number, roundBegan = step): void {
    this.#steps = step;
    if (this.#local) this.#local.began = roundBegan;
    this.#looked = step;
    this.#unread.length = 0;
    this.#failure = undefined;
    this.lossScale?.restored();
    this.#clip.release();
    this.optimizer.step = optimizerStep;
  }

  /** Frees all that the learner made, the workspace's step arena excepted. Resolves when the memory can be had again. */
  async free(): Promise<void> {
    if (this.#freed) return;
    this.#freed = true;
    this.options.averager?.free();
    this.#store.free();
    this.optimizer.free();
    this.#clip.free();
    this.#ema.free();
    this.#averages.free();
    this.#log.free();
    this.lossScale?.free();
    this.#passes.free();
    this.#each.free();
    this.#local?.free();
    this.workspace.free(this.#loss);
    await this.workspace.ledger.reclaim();
  }
}

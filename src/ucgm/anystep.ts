import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { GuidanceInput, VelocityNetwork, Weights } from '../nn/network.ts';
import type { Shard } from '../rng/shard.ts';
import type { Tensor, Workspace } from '../tensor/index.ts';
import { anyStepCoefficients, endTimes, logitNormalTimes, ROW, stepRatio } from './anystep_coefficients.ts';
import { drawnGuidance } from './drawn_guidance.ts';
import type { BatchTensors, Method } from './method.ts';
import { type LossChoice, type LossPlace, type ObjectiveResult, withLoss } from './objective.ts';
import type { ObjectiveOptions } from './options.ts';
import { timeFrom } from './time_ends.ts';
import { OptionError } from './transport.ts';
import { TWIN, Twins } from './twins.ts';
import { TwoTimes } from './two_times.ts';

/** eps of the loss where there is a power and none is given, SoFlow's for ImageNet. */
const LOSS_EPS = 0.01;

/** Any-step training, see anystep_coefficients.ts: flow matching, UCGM, alpha-Flow and SoFlow by the choice of s, a and the loss. */
export class AnyStepMethod implements Method {
  readonly needsTeacher = true;
  readonly takesDifferences = true;
  readonly #workspace: Workspace;
  readonly #network: VelocityNetwork;
  readonly #options: ObjectiveOptions;
  readonly #batch: number;
  readonly #seed: number;
  readonly #first: number;
  readonly #twins: Twins | undefined;
  readonly #guidance: GuidanceInput | undefined;
  readonly #own: {
    readonly rows: Tensor;
    readonly span: Tensor;
    readonly between: Tensor;
    readonly rest: Tensor;
    readonly still: Tensor;
    readonly weight: Tensor;
  };

  /** @throws OptionError for a network of one time, and for options that it does not have. */
  constructor(
    workspace: Workspace,
    network: VelocityNetwork,
    options: ObjectiveOptions,
    batch: number,
    seed: number,
    shard: Shard,
  ) {
    checkOptions(network, options);
    this.#workspace = workspace;
    this.#network = network;
    this.#options = options;
    this.#batch = batch;
    this.#seed = seed;
    this.#first = shard.first;
    const [learn, sharpen] = options.twin_ratios ?? [0, 0];
    if (learn + sharpen > 0) this.#twins = new Twins(workspace, options, network.input, batch, seed, shard);
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#own = {
      rows: make('coefficients', batch, ROW.stride),
      span: make('spans', batch),
      between: make('times between', batch),
      rest: make('spans from between', batch),
      still: make('no span', batch), // created zeroed, and kept so
      weight: make('loss weights', batch),
    };
    if (network.guidanceInput) {
      const [strength, from, to] = ['strength', 'start', 'end'].map((of) => make(`guidance ${of}`, batch));
      this.#guidance = { strength, from, to } as GuidanceInput;
    }
  }

  times(step: number, usual: () => Float64Array): Float64Array {
    const [options, seed, first] = [this.#options, this.#seed, this.#first];
    const drawn = options.time_logit_normal ? logitNormalTimes(options, seed, step, first, this.#batch) : usual();
    return drawn.map((t, b) => timeFrom(options, seed, step, first + b, t));
  }

  upload(times: ArrayLike<number>, step: number): void {
    const { stream } = this.#workspace;
    const drawn = endTimes(this.#options, this.#seed, step, this.#first, times);
    const ends = this.#twins?.ends(times, drawn) ?? drawn;
    const guidance = this.#guidance && drawnGuidance(this.#options, this.#seed, step, this.#first, this.#batch);
    const numbers = anyStepCoefficients(this.#options, stepRatio(this.#options, step), times, ends, guidance);
    if (this.#guidance && guidance)
      for (const key of ['strength', 'from', 'to'] as const) stream.write(this.#guidance[key], guidance[key]);
    this.#twins?.upload(numbers, times, step, this.#isClamped);
    stream.write(this.#own.rows, numbers.rows);
    stream.write(this.#own.span, numbers.span);
    stream.write(this.#own.between, numbers.between);
    stream.write(this.#own.rest, numbers.rest);
    stream.write(this.#own.weight, numbers.weight);
  }

  run(
    tape: Tape,
    inference: Tape,
    online: Weights,
    teacher: Weights | undefined,
    batch: BatchTensors,
    total: LossPlace,
  ): ObjectiveResult {
    const { rows, span, between, rest, still, weight } = this.#own;
    const network = this.#network;
    const twins = this.#twins;
    const guidance = this.#guidance;
    const asked = { tape, inference, network, online, teacher: teacher as Weights, batch, guidance };
    const pairs = twins && new TwoTimes({ ...asked, rows: twins.rows, stride: TWIN.stride });
    const x = pairs && twins.data(pairs, batch); // [B, C, H, W]
    const step = new TwoTimes({ ...asked, batch: { ...batch, ...(x && { x }) }, rows, stride: ROW.stride });
    const guided = guidance !== undefined || this.#options.enhanced_ratio !== 0;
    const of = pairs && ((xt: Tensor) => twins.input(pairs, xt));
    const { xt, prediction, known, v, real } = step.start(ROW.path, ROW.velocity, span, still, guided, of); // [B, C, H, W]
    const xl = step.combine(ROW.between, xt, v); // [B, C, H, W]
    const beyond = step.ask(xl, between, rest, batch.y); // F-(x_l, l, s) [B, C, H, W]
    step.release(xl);

    const regressed = tape.alloc(...batch.x.shape); // [B, C, H, W]
    const clamped = this.#isClamped;
    const parts = {
      u0: known,
      u1: v,
      u2: beyond,
      coefs: rows,
      out: regressed,
      ...(clamped && { origin: prediction }),
    };
    const kernel = lincomb.prepare(this.#workspace.device, { inputs: 3, clamped });
    tape.run(kernel, parts, { ...step.dims, coef_offset: ROW.target });
    step.release(v, beyond);
    let target = regressed;
    if (pairs && real) {
      target = twins.sharpen(tape, pairs, xt, real, batch, still, regressed); // [B, C, H, W]
      step.release(regressed, real, xt, x);
    }
    return withLoss(tape, prediction, target, weight, this.#loss, total);
  }

  free(): void {
    this.#twins?.free();
    for (const tensor of [...Object.values(this.#own), ...Object.values(this.#guidance ?? {})])
      this.#workspace.free(tensor);
  }

  get #isClamped(): boolean {
    return this.#options.residual === 'clamped';
  }

  get #loss(): LossChoice {
    const { loss_power, loss_eps = LOSS_EPS, scaled_cbl_eps } = this.#options;
    if (loss_power === undefined) return { wt_cosine_loss: false, scaled_cbl_eps };
    if (loss_power === 0) return { wt_cosine_loss: false, scaled_cbl_eps: 0, squared: true };
    return { wt_cosine_loss: false, scaled_cbl_eps: loss_eps, power: loss_power };
  }
}

function checkOptions(network: VelocityNetwork, o: ObjectiveOptions): void {
  if (!network.twoTimes)
    throw new OptionError('ANYSTEP needs a network of two times', 'set two_times: true in the section model');
  const drawn = (['guidance_scales', 'guidance_draw', 'guidance_from', 'guidance_to'] as const).find(
    (key) => o[key] !== undefined,
  );
  if (drawn && !network.guidanceInput)
    throw new OptionError(
      `${drawn} is for a network that takes guidance`,
      'set guidance_input: true in the section model, or leave it out',
    );
  if (network.guidanceInput && o.enhanced_ratio !== 0)
    throw new OptionError(
      `enhanced_ratio is ${o.enhanced_ratio} for a network that takes guidance, which each sample draws`,
      'set it to 0: guidance_scales says which are drawn',
    );
  const without: [string, boolean, string][] = [
    ['transport_type', o.transport_type === 'Linear', 'set it to Linear'],
    ['consistc_ratio', o.consistc_ratio === 0, 'set it to 0: step_ratio and end_time say it'],
    ['enhanced_style', (o.enhanced_style ?? 'auto') === 'auto', 'leave it out'],
    ['order', o.order === undefined, 'leave it out'],
    ['compat', o.compat === undefined, 'leave it out'],
    ['wt_cosine_loss', !o.wt_cosine_loss, 'set it to false'],
  ];
  for (const [name, fits, fix] of without) if (!fits) throw new OptionError(`ANYSTEP has no ${name}`, fix);
}

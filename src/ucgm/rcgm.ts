import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { STREAM, uniform01 } from '../rng/philox.ts';
import type { Shard } from '../rng/shard.ts';
import type { Tensor, Workspace } from '../tensor/index.ts';
import { refuseGuidanceInput } from './guidance.ts';
import type { BatchTensors, Method } from './method.ts';
import { type LossPlace, type ObjectiveResult, withLoss } from './objective.ts';
import type { ObjectiveOptions } from './options.ts';
import { OptionError } from './transport.ts';
import { TwoTimes } from './two_times.ts';

/** The first piece of the way from t to tt, along which the velocity counts as known. */
const FIRST_PIECE = 0.01;

/** Where the numbers of a sample lie in its row. */
const ROW = { path: 0, velocity: 2, start: 6, move: 8, sum: 10, target: 12, stride: 16 } as const;

/** Per-sample numbers of a step of RCGM, from the times t and tt <= t. */
export interface RecursiveCoefficients {
  /**
   * [B, 16]: x_t = [0] x + [1] z; v = [2] x + [3] z + [4] F_teacher(y) + [5] F_teacher(null); x_m = [6] x_t + [7] v; a roll's step
   * x = [8] x + [9] F and I = [10] I + [11] F; the residual [12] F + [13] I + [14] v, and [15], its factor in the target.
   */
  readonly rows: Float32Array<ArrayBuffer>;
  /** [B]: t - tt. */
  readonly span: Float32Array<ArrayBuffer>;
  /** [B] each: the times at which the roll asks the teacher. */
  readonly grid: readonly Float32Array<ArrayBuffer>[];
  /** [B]: length of one step of the roll. */
  readonly step: Float32Array<ArrayBuffer>;
}

/**
 * RCGM, the any-step successor of UCGM by its authors: F(x_t, t, tt) is the mean velocity from t to tt. A first piece of 0.01
 * along v, the rest by rolling the teacher over N equal steps with I = sum of F dt, and the residual
 * R = (t - tt >= 0.01) ? 100 (t - tt) F - 100 I - v : F - I / (t - tt) - v; the target is F - clamp(R, -1, 1). In f64.
 */
export function recursiveCoefficients(
  options: ObjectiveOptions,
  times: ArrayLike<number>,
  ends: ArrayLike<number>,
  order: number,
): RecursiveCoefficients {
  const batch = times.length;
  const zeta = options.enhanced_ratio;
  const rows = new Float32Array(batch * ROW.stride);
  const span = new Float32Array(batch);
  const step = new Float32Array(batch);
  const grid = Array.from({ length: order }, () => new Float32Array(batch));
  for (let b = 0; b < batch; b++) {
    const [t, tt] = [times[b] as number, ends[b] as number];
    const middle = Math.max(t - FIRST_PIECE, tt);
    const s = t - tt;
    const h = (middle - tt) / order;
    const residual = s >= FIRST_PIECE ? [s / FIRST_PIECE, -1 / FIRST_PIECE, -1] : [1, s > 0 ? -1 / s : 0, -1];
    rows.set([1 - t, t, -1, 1, zeta, -zeta, 1, middle - t, 1, -h, 1, h, ...residual, -1], b * ROW.stride);
    span[b] = s;
    step[b] = h;
    grid.forEach((at, n) => {
      at[b] = middle - n * h;
    });
  }
  return { rows, span, grid, step };
}

/** RCGM with the tensors that it reads. The network must take two times; forward passes only, but for F itself. */
export class RecursiveMethod implements Method {
  readonly needsTeacher = true;
  readonly takesDifferences = true;
  readonly #workspace: Workspace;
  readonly #network: VelocityNetwork;
  readonly #options: ObjectiveOptions;
  readonly #order: number;
  readonly #seed: number;
  readonly #first: number;
  readonly #own: {
    readonly rows: Tensor;
    readonly span: Tensor;
    readonly step: Tensor;
    readonly still: Tensor;
    readonly weight: Tensor;
  };
  readonly #grid: readonly Tensor[];

  /** @throws OptionError for a network of one time or one that takes guidance, and for options that RCGM does not have. */
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
    this.#order = options.order ?? 2;
    this.#seed = seed;
    this.#first = shard.first;
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#own = {
      rows: make('coefficients', batch, ROW.stride),
      span: make('spans', batch),
      step: make('steps', batch),
      still: make('no span', batch), // created zeroed, and kept so
      weight: make('loss weights', batch),
    };
    this.#grid = Array.from({ length: this.#order }, (_, n) => make(`times ${n}`, batch));
    workspace.stream.write(this.#own.weight, new Float32Array(batch).fill(1));
  }

  upload(times: ArrayLike<number>, step: number): void {
    const { stream } = this.#workspace;
    const share = (b: number) => uniform01(this.#seed, STREAM.time, step, this.#first + b);
    const ends = Float64Array.from(times, (t, b) => t - t * share(b));
    const numbers = recursiveCoefficients(this.#options, times, ends, this.#order);
    stream.write(this.#own.rows, numbers.rows);
    stream.write(this.#own.span, numbers.span);
    stream.write(this.#own.step, numbers.step);
    this.#grid.forEach((tensor, n) => {
      stream.write(tensor, numbers.grid[n] as Float32Array<ArrayBuffer>);
    });
  }

  run(
    tape: Tape,
    inference: Tape,
    online: Weights,
    teacher: Weights | undefined,
    batch: BatchTensors,
    total: LossPlace,
  ): ObjectiveResult {
    const { rows, span, step: length, still, weight } = this.#own;
    const network = this.#network;
    const stride = ROW.stride;
    const step = new TwoTimes({ tape, inference, network, online, teacher: teacher as Weights, batch, rows, stride });
    const guided = this.#options.enhanced_ratio !== 0;
    const { xt, prediction, known, v } = step.start(ROW.path, ROW.velocity, span, still, guided); // [B, C, H, W] each

    let at = step.combine(ROW.start, xt, v); // x_m
    let sum: Tensor | undefined; // I
    this.#grid.forEach((time, n) => {
      const f = step.ask(at, time, length, batch.y);
      // The first sum is h F: coefficient [11] alone.
      const added = sum ? step.combine(ROW.sum, sum, f) : step.combine(ROW.sum + 1, f);
      const moved = n + 1 < this.#order ? step.combine(ROW.move, at, f) : undefined;
      step.release(sum, at, f);
      sum = added;
      if (moved) at = moved;
    });

    const target = tape.alloc(...batch.x.shape); // [B, C, H, W]
    const parts = { u0: known, u1: sum as Tensor, u2: v, origin: prediction, coefs: rows, out: target };
    const clamped = lincomb.prepare(this.#workspace.device, { inputs: 3, clamped: true });
    tape.run(clamped, parts, { ...step.dims, coef_offset: ROW.target });
    step.release(sum, v);
    const choice = { wt_cosine_loss: false, scaled_cbl_eps: 0, squared: true };
    return withLoss(tape, prediction, target, weight, choice, total);
  }

  free(): void {
    for (const tensor of [...Object.values(this.#own), ...this.#grid]) this.#workspace.free(tensor);
  }
}

function checkOptions(network: VelocityNetwork, o: ObjectiveOptions): void {
  if (!network.twoTimes)
    throw new OptionError('RCGM needs a network of two times', 'set two_times: true in the section model');
  refuseGuidanceInput(network, 'RCGM');
  const without: [string, boolean, string][] = [
    ['transport_type', o.transport_type === 'Linear', 'Linear'],
    ['consistc_ratio', o.consistc_ratio === 0, '0'],
    ['enhanced_style', (o.enhanced_style ?? 'auto') === 'auto', 'auto'],
    ['scaled_cbl_eps', o.scaled_cbl_eps === 0, '0'],
    ['wt_cosine_loss', !o.wt_cosine_loss, 'false'],
    ['weight_function', o.weight_function === null, 'null'],
  ];
  for (const [name, fits, value] of without)
    if (!fits)
      throw new OptionError(`RCGM has no ${name}`, `set ${name} to ${value}, or start from the preset anystep`);
}

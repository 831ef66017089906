import type { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import { randomNormal } from '../kernels/random.ts';
import { STREAM } from '../rng/philox.ts';
import type { Shard } from '../rng/shard.ts';
import { count, type Tensor, type Workspace } from '../tensor/index.ts';
import { type AnyStepCoefficients, ROW } from './anystep_coefficients.ts';
import type { BatchTensors } from './method.ts';
import type { ObjectiveOptions } from './options.ts';
import type { TwoTimes } from './two_times.ts';

/** What a sample of a batch is for. */
export type TwinKind = 'data' | 'learn' | 'sharpen';

/** Where the twins' numbers of a sample lie in its row: what it is of, what the network is asked at, and the factors of the sharpening. */
export const TWIN = { data: 0, input: 3, sharpen: 5, stride: 8 } as const;

/** Kinds of a part of a batch: twins spread evenly over the whole batch, and the two kinds evenly over them. */
export function twinKinds({ twin_ratios }: ObjectiveOptions, first: number, size: number): TwinKind[] {
  const [learn, sharpen] = twin_ratios ?? [0, 0];
  const both = learn + sharpen;
  const steps = (ratio: number, i: number) => Math.floor((i + 1) * ratio) > Math.floor(i * ratio);
  return Array.from({ length: size }, (_, b) => {
    const sample = first + b;
    if (!steps(both, sample)) return 'data';
    return steps(learn / both, Math.floor(sample * both)) ? 'learn' : 'sharpen';
  });
}

/**
 * The two losses by which TwinFlow sharpens a single step (arXiv 2512.05150), each on a part of the batch. Its samples are fakes, the
 * model's own of one step, x' = z' - F-(z', 1, 0), noised to x'_t. Those that `learn` train F(x'_t, -t, -t), the velocity of fakes, as data
 * trains F(x_t, t, t). Those that `sharpen` train the step that made the fake: F(z', 1, 0) is regressed on itself less
 * clamp(F-(x'_t, -t, -t) - F-(x'_t, t, t), -1, 1), so that fakes move to where their velocity is the data's.
 */
export class Twins {
  readonly #workspace: Workspace;
  readonly #kinds: readonly TwinKind[];
  readonly #seed: number;
  readonly #first: number;
  readonly #own: { readonly [K in 'rows' | 'noise' | 'key' | 'time' | 'opposite' | 'one']: Tensor };

  constructor(
    workspace: Workspace,
    options: ObjectiveOptions,
    image: readonly number[],
    batch: number,
    seed: number,
    shard: Shard,
  ) {
    this.#workspace = workspace;
    this.#kinds = twinKinds(options, shard.first, batch);
    this.#seed = seed;
    this.#first = shard.first * count(image);
    const make = (name: string, ...shape: number[]) => workspace.create('data', name, shape);
    this.#own = {
      rows: make('twins', batch, TWIN.stride),
      noise: make('noise of fakes', batch, ...image),
      key: make('key of fakes', 4),
      time: make('times of twins', batch),
      opposite: make('opposite times', batch),
      one: make('whole spans', batch),
    };
    const rows = this.#kinds.flatMap((kind) => [
      ...(kind === 'data' ? [1, 0, 0] : [0, 1, -1]),
      ...(kind === 'sharpen' ? [0, 1] : [1, 0]),
      ...(kind === 'sharpen' ? [-1, 1, 1] : [0, 0, 0]),
    ]);
    workspace.stream.write(this.#own.rows, Float32Array.from(rows));
    workspace.stream.write(this.#own.one, new Float32Array(batch).fill(1));
  }

  /** Per-sample numbers of `TwoTimes.combine` for the twins. */
  get rows(): Tensor {
    return this.#own.rows;
  }

  /** The times s of a step with those of twins in their place: their samples are trained at one time, as s = t is. */
  ends(times: ArrayLike<number>, ends: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    return ends.map((s, b) => (this.#kinds[b] === 'data' ? s : (times[b] as number)));
  }

  /** Writes what changes from step to step, and into `numbers` what twins have otherwise: no guidance, weight 1, the whole way. */
  upload(numbers: AnyStepCoefficients, times: ArrayLike<number>, step: number, clamped: boolean): void {
    const { stream, device } = this.#workspace;
    const { key, noise } = this.#own;
    const time = Float32Array.from(times);
    this.#kinds.forEach((kind, b) => {
      if (kind === 'data') return;
      const row = b * ROW.stride;
      numbers.weight[b] = 1;
      numbers.rows.set([0, 0], row + ROW.velocity + 2);
      if (kind === 'learn') time[b] = -(times[b] as number);
      else {
        time[b] = 1;
        numbers.span[b] = 1;
        numbers.rows.set(clamped ? [0, 0, 0] : [1, 0, 0], row + ROW.target); // F itself: what sharpens is added to it
      }
    });
    stream.write(this.#own.time, time);
    stream.write(
      this.#own.opposite,
      Float32Array.from(times, (t) => -t),
    );
    stream.write(key, new Uint32Array([this.#seed, STREAM.twin, step, Math.floor(step / 2 ** 32)]));
    stream.run(randomNormal.prepare(device), { key, out: noise }, { count: noise.count, first: this.#first });
  }

  /** The batch with fakes in the place of the twins' data, which is to be released. -> [B, C, H, W] */
  data(twins: TwoTimes, batch: BatchTensors): Tensor {
    const { noise, one } = this.#own;
    const made = twins.ask(noise, one, one, batch.y); // F-(z', 1, 0) [B, C, H, W]
    const x = twins.combine(TWIN.data, batch.x, noise, made); // [B, C, H, W]
    twins.release(made);
    return x;
  }

  /** What the network in training is asked at: x_t, or the noise of a fake, and its times. */
  input(twins: TwoTimes, xt: Tensor): { at: Tensor; time: Tensor } {
    return { at: twins.combine(TWIN.input, xt, this.#own.noise), time: this.#own.time }; // [B, C, H, W]
  }

  /** The target with that of sharpening in the place of those twins' own. `real` is F-(x_t, t, t). -> [B, C, H, W] */
  sharpen(
    tape: Tape,
    twins: TwoTimes,
    xt: Tensor,
    real: Tensor,
    batch: BatchTensors,
    still: Tensor,
    target: Tensor,
  ): Tensor {
    const fake = twins.ask(xt, this.#own.opposite, still, batch.y); // F-(x_t, -t, -t) [B, C, H, W]
    const out = tape.alloc(...target.shape); // [B, C, H, W]
    const kernel = lincomb.prepare(this.#workspace.device, { inputs: 2, clamped: true });
    const parts = { u0: fake, u1: real, origin: target, coefs: this.rows, out };
    tape.run(kernel, parts, { ...twins.dims, coef_offset: TWIN.sharpen });
    twins.release(fake);
    return out;
  }

  free(): void {
    for (const tensor of Object.values(this.#own)) this.#workspace.free(tensor);
  }
}

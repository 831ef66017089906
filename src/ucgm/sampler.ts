import { Tape } from '../autograd/tape.ts';
import { lincomb } from '../kernels/lincomb.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { count, type Tensor, type Workspace } from '../tensor/index.ts';
import { guidedVelocity } from './guidance.ts';
import { type SamplingOptions, timeGrid, validateSampling } from './schedule.ts';
import { denominator, OptionError, type Transport, transportNamed } from './transport.ts';

/** One batch to be sampled. */
export interface SampleRequest {
  /** Starting noise, [B, C, H, W] flattened. */
  readonly noise: Float32Array<ArrayBuffer>;
  /** Labels [B]; K is the null class. */
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Fresh noise for step i, as `noise`; needed when stochast_ratio is not 0. */
  readonly stepNoise?: (step: number) => Float32Array<ArrayBuffer>;
  /** Also return every step's prediction. */
  readonly keepAll?: boolean;
}

export interface SampleResult {
  /** The last prediction of x, [B, C, H, W] flattened. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** The starting noise and then every step's prediction of x, when asked for. */
  readonly all: Float32Array<ArrayBuffer>[];
  /** Passes through the network, a guided one counted once. */
  readonly nfe: number;
}

/**
 * UCGM-S (arXiv 2505.07447, sampling algorithm): each step predicts x and z from the velocity, extrapolates both from the
 * step before, mixes in fresh noise and moves to the next time. The result is the last un-extrapolated prediction of x.
 * The grid and all coefficients are doubles on the host, the state is f32 on the GPU.
 * @throws OptionError for options that do not fit the network or the request.
 */
export async function sample(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  transportType: string,
  options: SamplingOptions,
  request: SampleRequest,
): Promise<SampleResult> {
  validateSampling(options);
  const batch = request.labels.length;
  const shape = [batch, ...network.input];
  checkRequest(network, options, request, shape);
  const transport = transportNamed(transportType);
  const times = timeGrid(options, transport);
  const steps = times.length - 1;

  workspace.beginStep();
  const tape = new Tape(workspace, { record: false });
  const { stream } = workspace;
  const labels = tape.alloc(2 * batch);
  const both = new Uint32Array(2 * batch).fill(network.numClasses);
  both.set(request.labels);
  stream.write(labels, both);
  const timeOfSample = tape.alloc(2 * batch);
  const guidance = { scale: options.cfg_scale, interval: options.cfg_interval };
  let nfe = 0;
  const velocity = (x: Tensor, t: number): Tensor => {
    nfe++;
    return guidedVelocity(tape, network, weights, guidance, x, t, labels, timeOfSample);
  };

  let x = tape.alloc(...shape);
  stream.write(x, request.noise);
  const all: Float32Array<ArrayBuffer>[] = request.keepAll ? [request.noise.slice()] : [];
  let before: Prediction | undefined;
  let rho = options.stochast_ratio;
  for (let i = 0; i < steps; i++) {
    const [t, next] = [times[i] as number, times[i + 1] as number];
    if (rho === 'Auto') rho = automaticRho(transport, t, next);
    const raw = predict(tape, transport, t, velocity(x, t), x);
    if (request.keepAll) all.push(await workspace.read(raw.x));
    if (i === steps - 1) {
      const samples = all[all.length - 1] ?? (await workspace.read(raw.x));
      return { samples, all, nfe };
    }
    const kappa = i >= 2 && before ? options.extrapol_ratio : 0;
    const used = kappa > 0 && before ? extrapolate(tape, raw, before, kappa) : raw;
    let moved = combine(tape, shape, [used.x, used.z], [transport.g(next), transport.a(next) * Math.sqrt(1 - rho)]);
    if (rho > 0) {
      const fresh = tape.alloc(...shape);
      stream.write(fresh, request.stepNoise?.(i) as Float32Array<ArrayBuffer>);
      moved = replace(tape, moved, combine(tape, shape, [moved, fresh], [1, transport.a(next) * Math.sqrt(rho)]));
      tape.release(fresh);
    }
    if (options.sampling_order === 2) {
      const second = predict(tape, transport, next, velocity(moved, next), moved);
      const ratio = transport.g(next) / transport.g(t);
      const half = (transport.a(next) - ratio * transport.a(t)) / 2;
      moved = replace(tape, moved, combine(tape, shape, [x, used.z, second.z], [ratio, half, half]));
      free(tape, second);
    }
    x = replace(tape, x, moved);
    if (used !== raw) free(tape, used);
    if (before) free(tape, before);
    before = raw;
    await stream.flush();
  }
  throw new OptionError('the time grid is empty', 'give at least one sampling step');
}

interface Prediction {
  readonly x: Tensor;
  readonly z: Tensor;
}

/** x_hat = (F a - x_t a')/den and z_hat = (x_t g' - F g)/den; frees F. */
function predict(tape: Tape, transport: Transport, t: number, f: Tensor, xt: Tensor): Prediction {
  const den = denominator(transport, t);
  const prediction = {
    x: combine(tape, xt.shape, [f, xt], [transport.a(t) / den, -transport.da(t) / den]),
    z: combine(tape, xt.shape, [f, xt], [-transport.g(t) / den, transport.dg(t) / den]),
  };
  tape.release(f);
  return prediction;
}

/** Both predictions moved on by kappa times their change since the step before. */
function extrapolate(tape: Tape, now: Prediction, before: Prediction, kappa: number): Prediction {
  return {
    x: combine(tape, now.x.shape, [now.x, before.x], [1 + kappa, -kappa]),
    z: combine(tape, now.z.shape, [now.z, before.z], [1 + kappa, -kappa]),
  };
}

/** The reference's automatic share of noise, from the first step. */
function automaticRho({ a }: Transport, t: number, next: number): number {
  return Math.min(1, Math.max(0, (2 * Math.abs(next - t) * a(t)) / a(next) ** 2));
}

/** sum of coefficient * tensor, one coefficient for the whole batch. */
function combine(
  tape: Tape,
  shape: readonly number[],
  tensors: readonly Tensor[],
  coefficients: readonly number[],
): Tensor {
  const out = tape.alloc(...shape);
  const coefs = tape.alloc(coefficients.length);
  tape.workspace.stream.write(coefs, new Float32Array(coefficients));
  const [u0, u1, u2, u3] = tensors;
  const dims = { batch: shape[0] as number, n: count(shape.slice(1)), coef_stride: 0, coef_offset: 0 };
  const offsets = { offset0: 0, offset1: 0, offset2: 0, offset3: 0, out_offset: 0 };
  const kernel = lincomb.prepare(tape.workspace.device, { inputs: tensors.length as 1 | 2 | 3 | 4 });
  tape.run(kernel, { u0: u0 as Tensor, u1, u2, u3, coefs, out }, { ...dims, ...offsets });
  tape.release(coefs);
  return out;
}

function replace(tape: Tape, old: Tensor, next: Tensor): Tensor {
  tape.release(old);
  return next;
}

function free(tape: Tape, p: Prediction): void {
  tape.release(p.x);
  tape.release(p.z);
}

function checkRequest(
  network: VelocityNetwork,
  o: SamplingOptions,
  request: SampleRequest,
  shape: readonly number[],
): void {
  if (request.noise.length !== count(shape)) {
    throw new OptionError(`noise has ${request.noise.length} numbers`, `give ${count(shape)} for [${shape}]`);
  }
  const null_ = network.numClasses >= 2 ? network.numClasses : Number.MAX_SAFE_INTEGER;
  const bad = request.labels.find((y) => y > null_);
  if (bad !== undefined)
    throw new OptionError(
      `label ${bad} does not exist`,
      `labels of this network are 0 to ${null_ - 1}, and ${null_} for none`,
    );
  if (o.stochast_ratio !== 0 && !request.stepNoise)
    throw new OptionError('stochast_ratio needs fresh noise', 'give stepNoise');
}

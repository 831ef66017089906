import { Tape } from '../autograd/tape.ts';
import { group, number, optional, signal } from '../kernel/index.ts';
import type { VelocityNetwork, Weights } from '../nn/network.ts';
import { checkWeights } from '../nn/weights.ts';
import { withHalves, withWeights } from '../nn/weights_copy.ts';
import { allFinite, NonFiniteError } from '../optim/non_finite.ts';
import {
  checkPrecision,
  count,
  MAX_IN_FLIGHT,
  type Numbers,
  Pace,
  type PassPrecision,
  precisionOption,
  realNumbers,
  type Tensor,
  type Workspace,
} from '../tensor/index.ts';
import { fitting, labelsOf } from './batch.ts';
import { evaluate, type Form, formOf, sum } from './form.ts';
import { guidedVelocity } from './guidance.ts';
import { type SamplingOptions, timeGrid, validateSampling } from './schedule.ts';
import { denominator, OptionError, QUARTER_TURN, refuseWrong, type Transport, transportNamed } from './transport.ts';

/** One batch to be sampled. */
export interface SampleRequest {
  /** Starting noise, [B, C, H, W] flattened. */
  readonly noise: Numbers;
  /** Labels [B]; K is the null class. */
  readonly labels: Numbers;
  /** Fresh noise for step i, as `noise`; needed when stochast_ratio is not 0. */
  readonly stepNoise?: (step: number) => Numbers;
  /** Also return every step's prediction and state. */
  readonly keepAll?: boolean;
}

/** How a sampling is run. */
export interface SampleControl {
  /** Ends it between two passes; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Steps on the device at most while the next is recorded. Default 2. */
  readonly maxInFlight?: number;
  /** How passes compute; f32 if left out. */
  readonly precision?: PassPrecision;
}

const CONTROL = group<SampleControl>({
  signal: optional(signal),
  maxInFlight: optional(number),
  precision: precisionOption,
});

type CopiedRequest = SampleRequest & {
  readonly noise: Float32Array<ArrayBuffer>;
  readonly labels: Uint32Array<ArrayBuffer>;
};

export interface SampleResult {
  /** The last prediction of x, [B, C, H, W] flattened. */
  readonly samples: Float32Array<ArrayBuffer>;
  /** The starting noise and then every step's prediction of x, when asked for. */
  readonly all: Float32Array<ArrayBuffer>[];
  /** x_t at every time that the network is asked at, the starting noise first, when asked for. */
  readonly states: Float32Array<ArrayBuffer>[];
  /** Passes through the network, a guided one counted once. */
  readonly nfe: number;
}

/**
 * UCGM-S (arXiv 2505.07447, sampling algorithm): each step predicts x and z from the velocity, extrapolates both from the
 * step before, mixes in fresh noise and moves to the next time. The result is the last un-extrapolated prediction of x.
 * The grid and all coefficients are doubles on the host, the state is f32 on the GPU.
 * Runs after all that was asked of the workspace before; noise and labels are copied now. On another workspace than the weights', a
 * trainer's, it goes on beside the steps there, on a copy of the weights: those after all steps that were asked for before this call.
 * @throws OptionError for options that do not fit the network or the request; PrecisionError for a precision that network or device does
 * not have; TensorError for weights of another device;
 * NonFiniteError for samples that are no numbers; the signal's reason; DeviceError when the device is lost.
 */
export async function sample(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  transportType: string,
  options: SamplingOptions,
  request: SampleRequest,
  control: SampleControl = {},
): Promise<SampleResult> {
  validateSampling(options);
  refuseWrong('sample', CONTROL, control);
  if (typeof network?.forward !== 'function')
    throw new OptionError(`the network is ${typeof network}`, 'give what createNetwork made');
  if (options.target_time !== undefined && !network.twoTimes)
    throw new OptionError('target_time is for networks of two times', 'leave it out');
  if (options.stochast_ratio !== 0 && !request.stepNoise)
    throw new OptionError('stochast_ratio needs fresh noise', 'give stepNoise');
  checkPrecision(control.precision ?? 'f32', workspace.caps, network);
  checkWeights(workspace, network, weights);
  const given = copyRequest(network, request);
  return withWeights(workspace, network, weights, async (own) => {
    const stored = control.precision === 'mixed' && network.halves === true;
    const halves = stored ? await withHalves(workspace, network, own) : undefined;
    try {
      const result = await run(workspace, network, halves?.weights ?? own, transportType, options, given, control);
      await refuseBadSamples(workspace, network, result, own);
      return result;
    } catch (error) {
      await workspace.abandonStep();
      throw error;
    } finally {
      halves?.free();
    }
  });
}

async function run(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  transportType: string,
  options: SamplingOptions,
  request: CopiedRequest,
  { signal, maxInFlight = MAX_IN_FLIGHT, precision = 'f32' }: SampleControl,
): Promise<SampleResult> {
  const pace = new Pace(workspace.device, maxInFlight);
  const batch = request.labels.length;
  const shape = [batch, ...network.input];
  const exact = transportNamed(transportType);
  const transport = options.compat === 'reference' ? inSinglePrecision(exact, transportType) : exact;
  const times = timeGrid(options, transport);
  const steps = times.length - 1;

  workspace.beginStep();
  const tape = new Tape(workspace, { record: false, precision });
  const { stream } = workspace;
  const labels = tape.alloc(2 * batch);
  const both = new Uint32Array(2 * batch).fill(network.numClasses);
  both.set(request.labels);
  stream.write(labels, both);
  const timeOfSample = tape.alloc(2 * batch);
  const guidance = {
    scale: options.cfg_scale,
    interval: options.cfg_interval,
    ...(options.compat === 'reference' && { channels: network.referenceGuidedChannels }),
  };
  let nfe = 0;
  const spans = network.twoTimes ? tape.alloc(2 * batch) : undefined;
  const twice = () => tape.alloc(2 * batch);
  const input = network.guidanceInput ? { strength: twice(), from: twice(), to: twice() } : undefined;
  const until = options.target_time ?? (options.sampling_order === 2 ? 'same' : 'next');
  const velocity = (x: Tensor, t: number, next: number): Tensor => {
    nfe++;
    const two = spans && { spans, span: { end: t, next: t - next, same: 0 }[until] };
    return guidedVelocity(tape, network, weights, guidance, x, t, labels, timeOfSample, two, input);
  };

  let x = tape.alloc(...shape);
  stream.write(x, request.noise);
  const all: Float32Array<ArrayBuffer>[] = request.keepAll ? [request.noise.slice()] : [];
  const states: Float32Array<ArrayBuffer>[] = request.keepAll ? [request.noise.slice()] : [];
  let before: Prediction | undefined;
  let rho = options.stochast_ratio;
  for (let i = 0; i < steps; i++) {
    await pace.room(signal);
    const [t, next] = [times[i] as number, times[i + 1] as number];
    if (rho === 'Auto') rho = automaticRho(transport, t, next);
    const f = velocity(x, t, next);
    const raw = predict(transport, t, f, x);
    const last = i === steps - 1;
    if (request.keepAll || last) {
      const prediction = evaluate(tape, shape, raw.x);
      all.push(await workspace.read(prediction));
      tape.release(prediction);
    }
    if (last) {
      const samples = all[all.length - 1] as Float32Array<ArrayBuffer>;
      return { samples, all: request.keepAll ? all : [], states, nfe };
    }
    const kappa = i >= 2 && before ? options.extrapol_ratio : 0;
    const used = before ? extrapolate(raw, before, kappa) : raw;
    let moved = sum([transport.g(next), used.x], [transport.a(next) * Math.sqrt(1 - rho), used.z]);
    const made: Tensor[] = [];
    if (rho > 0) {
      const fresh = tape.alloc(...shape);
      made.push(fresh);
      stream.write(fresh, noiseOf(`noise of step ${i}`, request.stepNoise?.(i), shape));
      moved = sum([1, moved], [transport.a(next) * Math.sqrt(rho), formOf(fresh)]);
    }
    if (options.sampling_order === 2) {
      const at = evaluate(tape, shape, moved);
      const f2 = velocity(at, next, next);
      made.push(at, f2);
      const second = zOf(transport, next, formOf(f2), moved);
      const ratio = transport.g(next) / transport.g(t);
      const half =
        (options.compat === 'reference'
          ? roundedPart(transport, t, next)
          : transport.a(next) - ratio * transport.a(t)) / 2;
      moved = sum([ratio, formOf(x)], [half, used.z], [half, second]);
    }
    const state = evaluate(tape, shape, moved);
    if (request.keepAll) states.push(await workspace.read(state));
    for (const tensor of [...made, ...(before?.tensors ?? [])]) tape.release(tensor);
    before = raw;
    x = state;
    await stream.flush();
    pace.submitted();
  }
  throw new OptionError('the time grid is empty', 'give at least one sampling step');
}

/** What a step says of the end points, in terms of its velocity and its state. */
interface Prediction {
  readonly x: Form;
  readonly z: Form;
  readonly tensors: readonly Tensor[];
}

/** x_hat = (F a - x_t a')/den and z_hat = (x_t g' - F g)/den. */
function predict(transport: Transport, t: number, f: Tensor, xt: Tensor): Prediction {
  const den = denominator(transport, t);
  const x = sum([transport.a(t) / den, formOf(f)], [-transport.da(t) / den, formOf(xt)]);
  return { x, z: zOf(transport, t, formOf(f), formOf(xt)), tensors: [f, xt] };
}

function zOf(transport: Transport, t: number, f: Form, xt: Form): Form {
  const den = denominator(transport, t);
  return sum([-transport.g(t) / den, f], [transport.dg(t) / den, xt]);
}

/** Both predictions moved on by kappa times their change since the step before. */
function extrapolate(now: Prediction, before: Prediction, kappa: number): Prediction {
  return {
    x: sum([1 + kappa, now.x], [-kappa, before.x]),
    z: sum([1 + kappa, now.z], [-kappa, before.z]),
    tensors: now.tensors,
  };
}

/** The reference's automatic share of noise, from the first step. */
function automaticRho({ a }: Transport, t: number, next: number): number {
  return Math.min(1, Math.max(0, (2 * Math.abs(next - t) * a(t)) / a(next) ** 2));
}

/** Noise as f32. @throws OptionError for another type or length, and for NaN. */
function noiseOf(what: string, given: Numbers | undefined, shape: readonly number[]): Float32Array<ArrayBuffer> {
  const noise = fitting(() => realNumbers(what, given));
  if (noise.length !== count(shape))
    throw new OptionError(`${what} has ${noise.length} numbers`, `give ${count(shape)} for [${shape}]`);
  return noise;
}

function copyRequest(network: VelocityNetwork, request: SampleRequest): CopiedRequest {
  if (!request?.noise || !request.labels)
    throw new OptionError('the request has no noise or no labels', 'give { noise, labels }');
  const labels = labelsOf(request.labels, network);
  return { ...request, labels, noise: noiseOf('noise', request.noise, [labels.length, ...network.input]) };
}

/** @throws NonFiniteError for samples that are no numbers, naming the weights where these are the cause. */
async function refuseBadSamples(
  workspace: Workspace,
  network: VelocityNetwork,
  { samples }: SampleResult,
  weights: Weights,
): Promise<void> {
  if (allFinite(samples)) return;
  let tensor: string | undefined;
  for (const { name } of network.parameters) {
    if (allFinite(await workspace.read(weights.get(name)))) continue;
    tensor = name;
    break;
  }
  throw new NonFiniteError(
    tensor === undefined ? 'the samples are not finite' : `the samples are not finite: the weights ${tensor} are not`,
    tensor === undefined ? 'use an earlier checkpoint, more steps or less guidance' : 'use an earlier checkpoint',
    { tensor },
  );
}

/** The four functions as the reference has them on its grid, which is single precision, the angle of the trigonometric ones too. */
function inSinglePrecision(transport: Transport, name: string): Transport {
  const turn = Math.fround(QUARTER_TURN);
  const angle = (t: number) => (name.startsWith('Trig') ? Math.fround(turn * t) / QUARTER_TURN : t);
  const rounded = (f: (t: number) => number) => (t: number) => Math.fround(f(angle(t)));
  const { a, g, da, dg } = transport;
  return { a: rounded(a), g: rounded(g), da: rounded(da), dg: rounded(dg) };
}

/** a(t') - g(t') a(t) / g(t), each operation rounded as the reference's are: a small difference of numbers of some hundred. */
function roundedPart({ a, g }: Transport, t: number, next: number): number {
  return Math.fround(a(next) - Math.fround(Math.fround(g(next) * a(t)) / g(t)));
}

import { Tape } from '../autograd/tape.ts';
import type { GuidanceInput, VelocityNetwork, Weights } from '../nn/network.ts';
import { withWeights } from '../nn/weights_copy.ts';
import { normal, STREAM } from '../rng/philox.ts';
import type { Workspace } from '../tensor/index.ts';
import { transportNamed } from './transport.ts';

/** Where on the path a network is asked: half way, where neither the data nor the noise gives the answer away. */
const HALF_WAY = 0.5;

/**
 * A network's velocities F(x_t, t, y) at one time. x_t [B, C, H, W] flattened, labels [B] up to the null class; the same as x_t. Of a network
 * of two times those of the flow itself, over no span; of one that takes guidance those without.
 */
export async function velocities(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  { xt, labels, t }: { readonly xt: Float32Array; readonly labels: Uint32Array<ArrayBuffer>; readonly t: number },
): Promise<Float32Array<ArrayBuffer>> {
  const shape = [labels.length, ...network.input];
  return withWeights(workspace, network, weights, async (own) => {
    workspace.beginStep();
    const tape = new Tape(workspace, { record: false });
    const [x, time, y] = [tape.alloc(...shape), tape.alloc(labels.length), tape.alloc(labels.length)];
    workspace.stream.write(x, Float32Array.from(xt));
    workspace.stream.write(time, new Float32Array(labels.length).fill(t));
    workspace.stream.write(y, network.numClasses >= 2 ? labels : new Uint32Array(labels.length));
    const span = network.twoTimes ? tape.alloc(labels.length) : undefined;
    if (span) workspace.stream.clear(span);
    const guidance = network.guidanceInput ? noGuidance(tape, labels.length) : undefined;
    return workspace.read(network.forward(tape, own, x, time, y, span, undefined, guidance));
  });
}

/** No guidance, for a network that takes it, on all times. */
function noGuidance(tape: Tape, batch: number): GuidanceInput {
  const [strength, from, to] = [0, 0, 1].map((value) => {
    const tensor = tape.alloc(batch);
    tape.workspace.stream.write(tensor, new Float32Array(batch).fill(value));
    return tensor;
  });
  return { strength, from, to } as GuidanceInput;
}

/**
 * How far a network's velocity is from that of the path, at a time (half way if left out) and as a share of its size:
 * ||F - v||^2 / ||v||^2 over a batch. A trained multi-step model is near 0, an untrained one at 1. x [B, C, H, W] flattened, labels [B].
 */
export async function velocityError(
  workspace: Workspace,
  network: VelocityNetwork,
  weights: Weights,
  transportType: string,
  { x, labels }: { readonly x: Float32Array; readonly labels: Uint32Array<ArrayBuffer> },
  seed: number,
  t = HALF_WAY,
): Promise<number> {
  const { a, g, da, dg } = transportNamed(transportType);
  const z = Float32Array.from({ length: x.length }, (_, i) => normal(seed, STREAM.sample, 0, i));
  const xt = z.map((noise, i) => a(t) * noise + g(t) * (x[i] as number));
  const f = await velocities(workspace, network, weights, { xt, labels, t });
  let error = 0;
  let size = 0;
  f.forEach((value, i) => {
    const v = da(t) * (z[i] as number) + dg(t) * (x[i] as number);
    error += (value - v) ** 2;
    size += v ** 2;
  });
  return error / size;
}

/**
 * Mean variance of a value over the images that share its label; over all images, where most labels occur once. Images
 * [labels.length, n] flattened. NaN for fewer than two images.
 */
export function varianceWithinLabels(images: Float32Array, labels: ArrayLike<number>): number {
  const n = images.length / labels.length;
  const groups = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i] as number;
    groups.set(label, [...(groups.get(label) ?? []), i]);
  }
  const shared = [...groups.values()].filter((group) => group.length > 1);
  const covered = shared.reduce((sum, group) => sum + group.length, 0);
  const used = 2 * covered > labels.length ? shared : [Array.from({ length: labels.length }, (_, i) => i)];
  let squares = 0;
  let freedom = 0;
  for (const group of used) {
    for (let k = 0; k < n; k++) {
      const values = group.map((i) => images[i * n + k] as number);
      const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
      for (const value of values) squares += (value - mean) ** 2;
    }
    freedom += (group.length - 1) * n;
  }
  return squares / freedom;
}

import { normal, STREAM } from '../../../src/rng/philox.ts';
import { velocities } from '../../../src/ucgm/diagnostics.ts';
import { sample } from '../../../src/ucgm/sampler.ts';
import type { Drawable } from '../engine/drawing.ts';

/** A flow of the plane: where points go, by which ways, and the velocities on a grid at one time. */
export interface Flow {
  /** Class of each point. */
  readonly labels: Uint32Array<ArrayBuffer>;
  /** Coordinates [N, 2] at each time, the noise first, and the end last. */
  readonly states: readonly Float32Array[];
  /** Velocities [SIDE * SIDE, 2] of the points of the grid, rows from the least y. */
  readonly field: Float32Array;
  /** The time of the field. */
  readonly t: number;
}

/** Points that flow, and of the grid along a side. */
export const POINTS = 400;
export const SIDE = 17;
/** Half the side of the square that is seen. */
export const REACH = 2;

/** Coordinates of the grid's points [SIDE * SIDE, 2]. */
export function gridPoints(): Float32Array<ArrayBuffer> {
  const at = (i: number) => REACH * ((2 * i) / (SIDE - 1) - 1);
  return Float32Array.from({ length: 2 * SIDE * SIDE }, (_, i) => {
    const point = i >> 1;
    return i % 2 === 0 ? at(point % SIDE) : at(Math.floor(point / SIDE));
  });
}

/** Lets points flow from noise to data, and asks the network for its velocities at a time, of no class in particular. */
export async function drawFlow(
  { workspace, network, weights, config }: Drawable,
  seed: number,
  t: number,
  signal: AbortSignal,
): Promise<Flow> {
  const noise = (step: number) =>
    Float32Array.from({ length: 2 * POINTS }, (_, i) => normal(seed, STREAM.sample, step, i));
  const labels = Uint32Array.from({ length: POINTS }, (_, i) => i % Math.max(1, network.numClasses));
  const request = { noise: noise(0), labels, stepNoise: (step: number) => noise(step + 1), keepAll: true };
  const { transport_type } = config.transport;
  const { states, samples } = await sample(workspace, network, weights, transport_type, config.sample, request, {
    signal,
  });
  const nobody = new Uint32Array(SIDE * SIDE).fill(network.numClasses >= 2 ? network.numClasses : 0);
  const field = await velocities(workspace, network, weights, { xt: gridPoints(), labels: nobody, t });
  return { labels, states: [...states, samples], field, t };
}

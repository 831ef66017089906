import { imageGrid, type Picture } from '../../../src/io/png.ts';
import { normal, STREAM } from '../../../src/rng/philox.ts';
import { sample } from '../../../src/ucgm/sampler.ts';
import { timeGrid } from '../../../src/ucgm/schedule.ts';
import { transportNamed } from '../../../src/ucgm/transport.ts';
import type { Drawable } from './drawing.ts';

/** The way of one sample from noise to data. */
export interface Trajectory {
  /** Two rows: what the sampler is at, and what it then predicts of the end. */
  readonly picture: Picture;
  /** Times of the columns. */
  readonly times: readonly number[];
}

/** Which sample: its place in the grid, and its class. */
export interface TrajectoryRequest {
  readonly index: number;
  readonly label: number;
  readonly seed: number;
}

/** Columns that are shown; of more times some are left out. */
const MOST = 11;

/** Draws one sample, with the state and the prediction at each time. */
export async function drawTrajectory(
  { workspace, network, weights, config }: Drawable,
  { index, label, seed }: TrajectoryRequest,
  signal: AbortSignal,
): Promise<Trajectory> {
  const [c, h, w] = network.input;
  const one = c * h * w;
  // The noise that draw gives this image, whatever else is drawn with it.
  const noise = (step: number) =>
    Float32Array.from({ length: one }, (_, i) => normal(seed, STREAM.sample, step, index * one + i));
  const { transport_type } = config.transport;
  const request = {
    noise: noise(0),
    labels: Uint32Array.of(network.numClasses >= 2 ? label : 0),
    stepNoise: (step: number) => noise(step + 1),
    keepAll: true,
  };
  const drawn = await sample(workspace, network, weights, transport_type, config.sample, request, { signal });
  const times = timeGrid(config.sample, transportNamed(transport_type)).slice(0, -1);
  const kept = spread(times.length, MOST);
  const rows = [kept.map((i) => drawn.states[i]), kept.map((i) => drawn.all[i + 1])].flat();
  const samples = new Float32Array(rows.length * one);
  rows.forEach((row, i) => {
    samples.set(row as Float32Array, i * one);
  });
  return {
    picture: imageGrid(firstChannels(samples, rows.length, c, h * w), {
      n: rows.length,
      c: c === 3 ? 3 : 1,
      h,
      w,
      columns: kept.length,
    }),
    times: kept.map((i) => times[i] as number),
  };
}

/** Of other than 1 or 3 channels the first alone. */
function firstChannels(samples: Float32Array, n: number, c: number, pixels: number): Float32Array {
  if (c === 1 || c === 3) return samples;
  const out = new Float32Array(n * pixels);
  for (let i = 0; i < n; i++) out.set(samples.subarray(i * c * pixels, i * c * pixels + pixels), i * pixels);
  return out;
}

/** At most `most` of the numbers below `count`, the first and the last among them. */
function spread(count: number, most: number): number[] {
  const n = Math.min(count, most);
  return Array.from({ length: n }, (_, i) => (n === 1 ? 0 : Math.round((i * (count - 1)) / (n - 1))));
}

import type { SamplingOptions } from '../ucgm/schedule.ts';

/** One number of the sampler that is searched over. */
interface Axis {
  readonly name: string;
  readonly of: (o: SamplingOptions) => number;
  readonly with: (o: SamplingOptions, value: number) => SamplingOptions;
  /** How far the first moves go: a sum, or a factor. */
  readonly add?: number;
  readonly times?: number;
  readonly range: readonly [low: number, high: number];
  /** Whether the sampler reads it at all. */
  readonly acts: (o: SamplingOptions, classes: number) => boolean;
}

const warpAxis = (i: 0 | 1 | 2): Axis => ({
  name: `warp ${'abc'[i]}`,
  of: (o) => o.time_dist_ctrl[i],
  with: (o, value) => ({
    ...o,
    time_dist_ctrl: o.time_dist_ctrl.map((v, k) => (k === i ? value : v)) as [number, number, number],
  }),
  times: 1.25,
  range: [0.2, 5],
  acts: ({ sampling_steps }) => sampling_steps > 1,
});

/** kappa acts from the third time on, noise and times from the second. */
const AXES: readonly Axis[] = [
  {
    name: 'guidance',
    of: (o) => o.cfg_scale,
    with: (o, value) => ({ ...o, cfg_scale: value }),
    times: 1.2,
    range: [0.2, 10],
    acts: (_, classes) => classes >= 2,
  },
  {
    name: 'kappa',
    of: (o) => o.extrapol_ratio,
    with: (o, value) => ({ ...o, extrapol_ratio: value }),
    add: 0.25,
    range: [0, 1],
    acts: ({ sampling_steps }) => sampling_steps > 2,
  },
  warpAxis(0),
  warpAxis(1),
  warpAxis(2),
  {
    name: 'rho',
    of: (o) => o.stochast_ratio as number,
    with: (o, value) => ({ ...o, stochast_ratio: value }),
    add: 0.25,
    range: [0, 1],
    acts: ({ sampling_steps, stochast_ratio }) => sampling_steps > 1 && stochast_ratio !== 'Auto',
  },
];

/** Moves of this share of the first ones, and shorter, are no longer tried. */
const SHORTEST = 0.25;

/** A setting that was tried, and its distance. */
export interface Trial {
  readonly sample: SamplingOptions;
  readonly distance: number;
}

/** What is searched, and how long. */
export interface SamplerSearch {
  /** Where it begins. */
  readonly start: SamplingOptions;
  /** Other settings to try before, of the same number of steps. */
  readonly also?: readonly SamplingOptions[];
  /** Classes of the network. */
  readonly classes: number;
  /** Settings that may be tried. */
  readonly trials: number;
  /** The distance of a setting: always of the same noise. */
  readonly measure: (sample: SamplingOptions) => Promise<number>;
}

/**
 * A pattern search (Hooke & Jeeves 1961) over guidance, kappa, the warp of the times and rho: one number at a time, up and down, keeps
 * what lowers the distance, and halves its moves when nothing does. Numbers have three digits, so that a command line holds them whole.
 * Gives every trial in order, and the best; ends with `trials`, or when moves are short.
 */
export async function searchSampler(search: SamplerSearch): Promise<{ best: Trial; trials: Trial[] }> {
  const { start, also = [], classes } = search;
  const trials: Trial[] = [];
  const seen = new Set<string>();
  const left = () => search.trials - trials.length;
  const attempt = async (sample: SamplingOptions): Promise<Trial | undefined> => {
    const key = JSON.stringify(sample);
    if (seen.has(key) || left() < 1) return undefined;
    seen.add(key);
    const trial = { sample, distance: await search.measure(sample) };
    trials.push(trial);
    return trial;
  };
  let best = (await attempt(start)) as Trial;
  const axes = AXES.filter((axis) => axis.acts(start, classes));
  const better = async (sample: SamplingOptions) => {
    const trial = await attempt(sample);
    if (!trial || trial.distance >= best.distance) return false;
    best = trial;
    return true;
  };
  for (const sample of also) await better(sample);
  const towards = new Map<Axis, 1 | -1>();
  for (let scale = 1; scale >= SHORTEST && left() > 0; ) {
    let moved = false;
    for (const axis of axes) {
      const way = towards.get(axis) ?? 1;
      if (await better(move(best.sample, axis, way * scale))) moved = true;
      else if (await better(move(best.sample, axis, -way * scale))) {
        moved = true;
        towards.set(axis, way === 1 ? -1 : 1);
      }
    }
    if (!moved) scale /= 2;
  }
  return { best, trials };
}

/** A setting with one number moved, within its range and to three digits. */
function move(o: SamplingOptions, axis: Axis, by: number): SamplingOptions {
  const [low, high] = axis.range;
  const value = axis.of(o);
  const moved = axis.times === undefined ? value + by * (axis.add as number) : value * axis.times ** by;
  return axis.with(o, Number(Math.min(high, Math.max(low, moved)).toPrecision(3)));
}

/** The options of `ucgm sample` that say a setting, numbers in full. */
export function samplerFlags(o: SamplingOptions): string[] {
  return [
    ...['--steps', String(o.sampling_steps), '--order', String(o.sampling_order)],
    ...['--kappa', String(o.extrapol_ratio), '--rho', String(o.stochast_ratio)],
    ...['--warp', o.time_dist_ctrl.join(','), '--gaps', o.rfba_gap_steps.join(',')],
    ...['--cfg', String(o.cfg_scale), '--cfg-interval', o.cfg_interval.join(',')],
  ];
}

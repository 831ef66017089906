import type { EvaluationRow } from '../run/evaluation.ts';
import type { RunConfig } from '../run/settings.ts';

/** The sampler's options but its steps, in one line. */
export function settingOf({ sample }: RunConfig): string {
  const { sampling_order, extrapol_ratio, stochast_ratio, time_dist_ctrl, rfba_gap_steps, cfg_scale } = sample;
  const until = sample.target_time;
  const parts = [sampling_order === 1 ? 'Euler' : 'Heun'];
  if (extrapol_ratio !== 0) parts.push(`kappa ${extrapol_ratio}`);
  if (stochast_ratio !== 0) parts.push(`rho ${stochast_ratio}`);
  if (time_dist_ctrl.some((v) => v !== 1)) parts.push(`warp ${time_dist_ctrl}`);
  parts.push(`gaps ${rfba_gap_steps}`);
  if (until !== undefined)
    parts.push(`mean velocity to ${{ end: 'the end', next: 'the next time', same: 'its own time' }[until]}`);
  if (cfg_scale !== 1) parts.push(`cfg ${cfg_scale} on ${sample.cfg_interval}`);
  if (sample.compat) parts.push(`compat ${sample.compat}`);
  return parts.join(', ');
}

/** What the lines of lineOf are headed by. */
export const HEADER =
  ' steps   images      FD     +-  FD(1/n=0)     KID  precision recall accuracy nearest  seconds  setting';

/** A row as a line of text: scores are means over the seeds of the noise, +- the deviation of the distance. */
export function lineOf(r: EvaluationRow, images: number): string {
  const fixed = (value: number | null | undefined, digits: number, width: number) =>
    (value === null || value === undefined ? '-' : value.toFixed(digits)).padStart(width);
  const cells = [
    String(r.steps).padStart(6),
    (r.seeds && r.seeds.length > 1 ? `${r.seeds.length}x${images}` : String(images)).padStart(8),
    r.frechet.toFixed(2).padStart(7),
    fixed(r.deviation?.frechet, 2, 6),
    fixed(r.limit, 2, 10),
    r.kid.toFixed(3).padStart(8),
    r.precision.toFixed(3).padStart(9),
    r.recall.toFixed(3).padStart(7),
    fixed(r.accuracy, 3, 8),
    fixed(r.nearest, 2, 7),
    r.seconds.toFixed(1).padStart(8),
  ];
  return `${cells.join(' ')}  ${r.setting}`;
}

/** The distance by number of samples, as a line under a row; nothing where it is of one number. */
export function sizesLine({ bySize = [] }: EvaluationRow): string | undefined {
  if (bySize.length < 2) return undefined;
  return `        FD by samples: ${bySize.map(({ images, frechet }) => `${frechet.toFixed(2)} of ${images}`).join(', ')}`;
}

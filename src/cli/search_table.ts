import type { EvaluationRow } from '../run/evaluation.ts';
import type { SamplingOptions } from '../ucgm/schedule.ts';

/** What a search found for one number of steps, scored on noise that was held out. */
export interface SearchRow {
  readonly steps: number;
  readonly sample: SamplingOptions;
  /** Of the setting that the search began with, and of the best. */
  readonly plain: Pick<EvaluationRow, 'frechet' | 'deviation'>;
  readonly found: Pick<EvaluationRow, 'frechet' | 'deviation'>;
}

const COLUMNS = ['steps', 'guidance', 'kappa', 'rho', 'Kumaraswamy', 'FD before', 'FD found', 'as good as before'];
const WIDTHS = [6, 9, 6, 6, 18, 16, 16, 24];

/**
 * A table of what was found at each number of steps: the setting, the distance on held-out noise before and after, and the most steps that
 * were no better before.
 */
export function searchTable(rows: readonly SearchRow[]): string {
  const lines = rows.map((row) => {
    const { cfg_scale, extrapol_ratio, stochast_ratio, time_dist_ctrl } = row.sample;
    const setting = [cfg_scale, extrapol_ratio, stochast_ratio, time_dist_ctrl.join(',')];
    return [row.steps, ...setting, distanceOf(row.plain), distanceOf(row.found), asGoodAs(row, rows)];
  });
  return [COLUMNS, ...lines]
    .map((cells) => cells.map((cell, i) => `${cell}`.padStart(WIDTHS[i] as number)).join(' '))
    .join('\n');
}

function distanceOf({ frechet, deviation }: SearchRow['plain']): string {
  return typeof deviation?.frechet === 'number'
    ? `${frechet.toFixed(2)} +- ${deviation.frechet.toFixed(2)}`
    : frechet.toFixed(2);
}

/** The most steps whose setting before is no better than what was found here. */
function asGoodAs({ steps, plain, found }: SearchRow, rows: readonly SearchRow[]): string {
  const reached = rows.filter((other) => other.steps > steps && other.plain.frechet >= found.frechet);
  if (reached.length > 0) return `${Math.max(...reached.map((other) => other.steps))} steps`;
  if (found.frechet < plain.frechet) return 'no more steps';
  return found.frechet > plain.frechet ? 'no gain: keep before' : 'nothing better found';
}

import type { RunConfig } from '../run/settings.ts';
import { timeGrid } from '../ucgm/schedule.ts';
import { transportNamed } from '../ucgm/transport.ts';
import { figures } from './charts.ts';
import { section, table } from './html.ts';
import { shortNumber } from './numbers.ts';
import type { Point } from './series.ts';

/** Rows of numbers that somebody reads. */
const MAX_ROWS = 100;

/** The times at which the run's sampler asks the network, and the share of noise and data at each. */
export function scheduleSection({ sample, transport }: RunConfig): string {
  const path = transportNamed(transport.transport_type);
  const { a, g } = path;
  const times = timeGrid(sample, path);
  const points = (value: (t: number) => number): Point[] => times.map((t, i) => [i, value(t)]);
  const passes = times.length - 1;
  const rows = times.map((t, i) => [String(i), ...[t, a(t), g(t)].map((value) => value.toFixed(4))]);
  const chart = figures([
    {
      id: 'schedule',
      alt: `Sampling times from ${shortNumber(times[0] as number)} to ${shortNumber(times.at(-1) as number)} in ${passes} moves`,
      caption: `${transport.transport_type} transport, ${sample.sampling_steps} steps of order ${sample.sampling_order}; guidance ${sample.cfg_scale} on times ${sample.cfg_interval.join(' to ')}`,
      x: { name: 'i' },
      y: { name: 'share' },
      lines: [
        { name: 'a(t), noise', points: points(a), marks: passes <= 50 },
        { name: 'g(t), data', points: points(g), marks: passes <= 50 },
        { name: 'time t', points: points((t) => t), dashed: true },
      ],
    },
  ]);
  const numbers = `<details><summary>The times as numbers</summary>\n${table(['i', 't', 'a(t)', 'g(t)'], rows)}\n</details>`;
  return section('Sampling schedule', rows.length > MAX_ROWS ? chart : `${chart}\n${numbers}`);
}

import type { CommandLine } from '../run/commands.ts';
import { escapeHtml, section } from './html.ts';
import type { Row } from './series.ts';

/** Seconds in which the steps of a log were taken, without checkpoints, samples and pauses; undefined where none says. */
export function trainingSeconds(rows: readonly Row[], batch: number): number | undefined {
  let seconds = 0;
  for (const { imagesPerSecond } of rows)
    if (typeof imagesPerSecond === 'number' && imagesPerSecond > 0) seconds += batch / imagesPerSecond;
  return seconds > 0 ? seconds : undefined;
}

/** Seconds for people: the two greatest units. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${seconds < 10 ? seconds.toFixed(1) : whole} s`;
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3600)];
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  return `${minutes} min ${whole % 60} s`;
}

/** The day and minute of an ISO date, in UTC. */
export const minuteOf = (date: string): string => `${date.slice(0, 16).replace('T', ' ')} UTC`;

/** The command that makes the run again, and those that went on with it. */
export function originSection(commands: readonly CommandLine[]): string {
  const [first, ...later] = commands;
  if (!first) return '';
  const block = ({ date, version, command }: CommandLine) =>
    `<p>${escapeHtml(minuteOf(date))}, version ${escapeHtml(version)}:</p>\n<pre tabindex="0"><code>${escapeHtml(command)}</code></pre>`;
  const went = later.length > 0 ? `\n<p>It went on by:</p>\n${later.map(block).join('\n')}` : '';
  return section('The command that makes it again', `${block(first)}${went}`);
}

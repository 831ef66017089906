import { escapeHtml } from './html.ts';
import { shortNumber } from './numbers.ts';
import { evenly, type Point } from './series.ts';

/** Places along a chart that show their values. */
const PLACES = 80;

/** One line of a chart, to be read off. */
interface Readable {
  readonly name: string;
  readonly points: readonly Point[];
}

/** A place of a chart in pixels: what is hovered over, and where the values stand. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  /** The line of text above the plot. */
  readonly text: number;
}

/**
 * What shows the values of a chart where it is hovered over or touched, by style alone: the page runs nothing. A strip of the plot for
 * each place, with a mark and a line of text that only the strip under the pointer shows.
 * @param at pixels from the left of a value of x.
 */
export function hoverLayer(
  lines: readonly Readable[],
  xName: string,
  at: (x: number) => number,
  { left, right, top, bottom, text }: Plot,
): string {
  const places = evenly(
    [...new Set(lines.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b),
    PLACES,
  );
  const pixels = places.map(at);
  const values = lines.map(({ points }) => new Map(points));
  const strips = places.flatMap((x, i) => {
    const here = pixels[i] as number;
    if (!Number.isFinite(here)) return [];
    const from = i === 0 ? left : (here + (pixels[i - 1] as number)) / 2;
    const to = i === places.length - 1 ? right : (here + (pixels[i + 1] as number)) / 2;
    const said = lines.map(({ name }, k) => {
      const value = values[k]?.get(x);
      return value === undefined || value === null ? undefined : `${name} ${shortNumber(value)}`;
    });
    const words = [`${xName} ${shortNumber(x)}`, ...said.filter((word) => word !== undefined)].join(', ');
    const n = (value: number) => value.toFixed(1);
    return [
      `<g><rect x="${n(from)}" y="${top}" width="${n(Math.max(0, to - from))}" height="${bottom - top}"/>` +
        `<path d="M${n(here)} ${top}V${bottom}"/><text x="${left}" y="${text}">${escapeHtml(words)}</text></g>`,
    ];
  });
  return `<g class="hover" aria-hidden="true">${strips.join('')}</g>`;
}

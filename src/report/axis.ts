import { extent, type Point } from './series.ts';

/** Ticks that an axis has at most. */
const MOST_TICKS = 7;
/** How far a line stays from the edges of its chart, as a share of the range. */
const MARGIN = 0.05;
/** Range from which on a logarithmic axis shows more than a linear one. */
const WIDE = 2;

/** Whether values are better read on a logarithmic axis: all positive, and not close together. */
export function suitsLog(points: readonly Point[]): boolean {
  const range = extent(points);
  return range !== undefined && range[0] > 0 && range[1] / range[0] > WIDE;
}

/** Where a logarithmic axis begins and ends, close around its values, and its ticks; undefined without a positive value. */
export function logRange(points: readonly Point[]): { min: number; max: number; ticks: number[] } | undefined {
  const range = extent(points.map(([x, y]) => [x, y !== null && y > 0 ? y : null] as const));
  if (!range) return undefined;
  const [low, high] = range;
  const margin = low === high ? 2 : (high / low) ** MARGIN;
  const [min, max] = [low / margin, high * margin];
  return { min, max, ticks: ticksBetween(min, max) };
}

/** Round numbers between two: powers of ten where there are many, 1, 2 and 5 of each, or steps of equal length where they are close. */
function ticksBetween(min: number, max: number): number[] {
  for (const digits of [[1, 2, 5], [1]]) {
    const ticks = ofDecades(min, max, digits);
    if (ticks.length >= 3 && ticks.length <= MOST_TICKS) return ticks;
  }
  const powers = ofDecades(min, max, [1]);
  if (powers.length > MOST_TICKS) return powers.filter((_, i) => i % Math.ceil(powers.length / MOST_TICKS) === 0);
  return evenSteps(min, max);
}

function ofDecades(min: number, max: number, digits: readonly number[]): number[] {
  const [first, last] = [Math.floor(Math.log10(min)), Math.ceil(Math.log10(max))];
  const all = Array.from({ length: last - first + 1 }, (_, i) => digits.map((d) => Number(`${d}e${first + i}`)));
  return all.flat().filter((tick) => tick >= min && tick <= max);
}

function evenSteps(min: number, max: number): number[] {
  const rough = (max - min) / 4;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = unit * ([1, 2, 5, 10].find((factor) => factor * unit >= rough) as number);
  const first = Math.ceil(min / step);
  const count = Math.floor(max / step) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** A point of a line; null where nothing finite was measured. */
export type Point = readonly [x: number, y: number | null];

/** Numbers in a log, by name, with the step they belong to. */
export type Row = { readonly step: number } & { readonly [name: string]: number | null };

/** Points that a line of a chart holds at most: more than its pixels, and little to store. */
export const MAX_POINTS = 2000;

/** One column of a log as points, null where it is missing or not finite. */
export function column(rows: readonly Row[], name: string): Point[] {
  return rows.map((row) => {
    const value: unknown = row[name];
    return [row.step, typeof value === 'number' && Number.isFinite(value) ? value : null];
  });
}

/** Smallest and largest value of a line; undefined where it has none. */
export function extent(points: readonly Point[]): readonly [low: number, high: number] | undefined {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [, y] of points) {
    if (y === null) continue;
    if (y < low) low = y;
    if (y > high) high = y;
  }
  return low <= high ? [low, high] : undefined;
}

/** The last value that was measured. */
export function lastOf(points: readonly Point[]): number | undefined {
  return points.findLast(([, y]) => y !== null)?.[1] ?? undefined;
}

/**
 * At most `limit` points that look the same: of each stretch its smallest and its largest, in their order, so that no spike
 * is lost. A stretch without a value stays as a gap.
 */
export function thinned(points: readonly Point[], limit = MAX_POINTS): readonly Point[] {
  if (points.length <= limit) return points;
  return stretches(points, Math.floor(limit / 2)).flatMap((part) => {
    let [low, high] = [-1, -1];
    part.forEach(([, y], i) => {
      if (y === null) return;
      if (low < 0 || y < (part[low]?.[1] as number)) low = i;
      if (high < 0 || y > (part[high]?.[1] as number)) high = i;
    });
    if (low < 0) return [part[0] as Point];
    const kept = low === high ? [low] : [Math.min(low, high), Math.max(low, high)];
    return kept.map((i) => part[i] as Point);
  });
}

/** Stretches that a running mean is taken over: each is averaged first, so that a window never cancels huge sums. */
const MEAN_POINTS = 1000;

/** The mean of the last 2 % of a line (five points at least); what is not finite counts as not measured. */
export function runningMean(points: readonly Point[]): Point[] {
  const parts = stretches(points, Math.min(points.length, MEAN_POINTS)).map((part) => {
    let [sum, count] = [0, 0];
    for (const [, y] of part) {
      if (y === null) continue;
      sum += y;
      count++;
    }
    return { x: part.at(-1)?.[0] as number, sum, count };
  });
  const window = Math.max(5, Math.ceil(parts.length / 50));
  return parts.map(({ x }, i) => {
    let [sum, count] = [0, 0];
    for (let j = Math.max(0, i - window + 1); j <= i; j++) {
      sum += parts[j]?.sum as number;
      count += parts[j]?.count as number;
    }
    return [x, count > 0 && Number.isFinite(sum) ? sum / count : null];
  });
}

/** `items` cut into `count` runs of nearly equal length. */
function stretches(points: readonly Point[], count: number): (readonly Point[])[] {
  const at = (i: number) => Math.floor((i * points.length) / count);
  return Array.from({ length: count }, (_, i) => points.slice(at(i), at(i + 1)));
}

/** At most `count` of the items, evenly spread, the last one included. */
export function evenly<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  if (count < 2) return items.slice(-1);
  return Array.from({ length: count }, (_, i) => items[Math.round((i * (items.length - 1)) / (count - 1))] as T);
}

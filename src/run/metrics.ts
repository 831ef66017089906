/** One line of metrics.jsonl: a step and what was measured in it; null for what was not finite. */
export type MetricsLine = { readonly step: number } & { readonly [name: string]: number | null };

/** What a metrics.jsonl holds: its lines, and the numbers, from 1, of those that are none. */
export interface MetricsRead {
  readonly lines: MetricsLine[];
  readonly broken: number[];
}

/**
 * The lines of a log's text, in order, NaN and Infinity read as null; those that are broken are left out and named. A last line
 * without its line break was cut off by a crash, and is left out without a word.
 */
export function parseMetrics(text: string): MetricsRead {
  const lines: MetricsLine[] = [];
  const broken: number[] = [];
  const whole = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  whole.slice(0, -1).forEach((line, i) => {
    const value = parseMetricsLine(line);
    if (value) lines.push(value);
    else broken.push(i + 1);
  });
  return { lines, broken };
}

/** JSON has no NaN; other programs write it all the same. */
const NOT_NUMBERS = /([:,[]\s*)(?:NaN|-?Infinity)(?=\s*[,\]}])/g;

/** One line; undefined for what is no object with a whole number `step`. */
export function parseMetricsLine(line: string): MetricsLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line.replace(NOT_NUMBERS, '$1null'));
  } catch {
    return undefined;
  }
  const isLine = typeof value === 'object' && value !== null && Number.isInteger((value as { step?: unknown }).step);
  return isLine ? (value as MetricsLine) : undefined;
}

/** A line as text, with its line break; a value that is not finite becomes null, which is what JSON has for it. */
export function metricsText(line: MetricsLine): string {
  return `${JSON.stringify(line)}\n`;
}

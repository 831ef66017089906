import { logRange } from '../src/report/axis.ts';
import { escapeHtml } from '../src/report/html.ts';
import { shortNumber } from '../src/report/numbers.ts';
import { type Ceilings, multiplyRates } from './ceilings.ts';
import { ARITHMETICS, type Arithmetic, cornerOf, type RooflinePoint, roofAt } from './roofline.ts';

/** Small, with large letters: it is scaled to a phone's width as to a desk's. */
const SIZE = { width: 480, height: 360 };
const PLOT = { left: 56, right: 468, top: 36, bottom: 312 };
/** Pixels that the name of the slope takes, and that of the level. */
const SLOPE_LABEL = 160;
const LEVEL_LABEL = 220;
/** Half the size of a mark. */
const MARK = 4;

/** Colours of src/report/style.ts. */
const LOOK: { readonly [arithmetic in Arithmetic]: { readonly paint: string; readonly path: string } } = {
  f32: { paint: 'var(--line-1)', path: `a${MARK} ${MARK} 0 1 0 ${2 * MARK} 0a${MARK} ${MARK} 0 1 0 ${-2 * MARK} 0z` },
  f32x3: { paint: 'var(--line-2)', path: `l${MARK} ${-2 * MARK}l${MARK} ${2 * MARK}z` },
  mixed: { paint: 'var(--line-3)', path: `v${-MARK}h${2 * MARK}v${2 * MARK}h${-2 * MARK}z` },
};
/** From a place down to where the path of its mark begins. */
const BEGINS: { readonly [arithmetic in Arithmetic]: number } = { f32: 0, f32x3: MARK, mixed: 0 };

interface Scale {
  (value: number): number;
  readonly ticks: readonly number[];
  readonly min: number;
}

/**
 * A roofline as SVG: operations per byte against TFLOP/s, both logarithmic, a mark a case with its name, time and share as title.
 * Its colours are the page's.
 * @param about what it is of, for those who do not see it.
 */
export function rooflineChart(points: readonly RooflinePoint[], ceilings: Ceilings, about: string): string {
  const { tflops: level, matrixTflops = level } = ceilings;
  const corners = [level, matrixTflops].map((tflops) => cornerOf({ ...ceilings, tflops }));
  const x = scale([...points.map(({ intensity }) => intensity), ...corners], PLOT.left, PLOT.right);
  const y = scale([...points.map(({ tflops }) => tflops), level, matrixTflops], PLOT.bottom, PLOT.top);
  const shown = ARITHMETICS.filter((kind) => points.some(({ arithmetic }) => arithmetic === kind));
  const alt = `Roofline of ${about}: ${points.length} cases, ${roofs(ceilings).join(', ')}`;
  return [
    `<svg role="img" aria-label="${escapeHtml(alt)}" viewBox="0 0 ${SIZE.width} ${SIZE.height}" font-family="system-ui, sans-serif" font-size="14">`,
    ...x.ticks.map((tick) => gridLine(`M${px(x(tick))} ${PLOT.top}V${PLOT.bottom}`)),
    ...y.ticks.map((tick) => gridLine(`M${PLOT.left} ${px(y(tick))}H${PLOT.right}`)),
    ...x.ticks.map((tick) => text(x(tick), PLOT.bottom + 18, 'middle', tickText(tick))),
    ...y.ticks.map((tick) => text(PLOT.left - 8, y(tick) + 5, 'end', tickText(tick))),
    text((PLOT.left + PLOT.right) / 2, SIZE.height - 8, 'middle', 'operations per byte'),
    text(8, 18, 'start', 'TFLOP/s'),
    ...legend(shown),
    roof(ceilings, x, y),
    ...(ceilings.matrixTflops === undefined ? [] : [matrixRoof(ceilings, ceilings.matrixTflops, x, y)]),
    ...points.map((point) => markOf(point, x(point.intensity), y(point.tflops))),
    '</svg>',
  ].join('\n');
}

/** The ceilings in words. */
export const roofs = (ceilings: Ceilings): string[] => [
  `copy ${shortNumber(ceilings.gbps)} GB/s`,
  ...multiplyRates(ceilings).map(([of, rate]) => `${of} ${shortNumber(rate)} TFLOP/s`),
];

/** Pixels of a value on a logarithmic axis. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const range = logRange(values.map((value) => [0, value] as const)) as NonNullable<ReturnType<typeof logRange>>;
  const { min, max, ticks } = range;
  const at = (value: number) => from + ((to - from) * Math.log(value / min)) / Math.log(max / min);
  return Object.assign(at, { ticks, min });
}

/** The slope of copying from where it enters the plot, and the level of multiplying. */
function roof(ceilings: Ceilings, x: Scale, y: Scale): string {
  const start = Math.max(x.min, (1000 * y.min) / ceilings.gbps);
  const corner = cornerOf(ceilings);
  const [left, right] = [start, corner].map(x) as [number, number];
  const [low, level] = [start, corner].map((intensity) => y(roofAt(ceilings, intensity))) as [number, number];
  const [copy, multiply] = roofs(ceilings) as [string, string];
  const middle = { x: (left + right) / 2, y: (low + level) / 2 };
  const turn = (Math.atan2(level - low, right - left) * 180) / Math.PI;
  const slope = text(middle.x, middle.y - 8, 'middle', copy).replace(
    '<text ',
    `<text transform="rotate(${px(turn)} ${px(middle.x)} ${px(middle.y)})" `,
  );
  return [
    `<path class="roof" d="M${px(left)} ${px(low)}L${px(right)} ${px(level)}H${PLOT.right}" fill="none" stroke="var(--ink)" stroke-width="2"/>`,
    // Left of the corner no case lies above the slope.
    text(right - PLOT.left > LEVEL_LABEL ? right : PLOT.right, level - 8, 'end', multiply),
    ...(Math.hypot(right - left, level - low) > SLOPE_LABEL ? [slope] : []),
  ].join('\n');
}

/** The level of multiplying on subgroup matrices, to which the slope of copying goes on. */
function matrixRoof(ceilings: Ceilings, level: number, x: Scale, y: Scale): string {
  const at = px(y(level));
  const begin = px(x(cornerOf({ ...ceilings, tflops: level })));
  return [
    `<path class="roof" d="M${px(x(cornerOf(ceilings)))} ${px(y(ceilings.tflops))}L${begin} ${at}H${PLOT.right}" fill="none" stroke="var(--ink)" stroke-width="2" stroke-dasharray="6 4"/>`,
    text(PLOT.right, at - 8, 'end', `matrices ${shortNumber(level)} TFLOP/s`),
  ].join('\n');
}

function markOf(point: RooflinePoint, x: number, y: number): string {
  const { name, ms, share, arithmetic, tflops } = point;
  const said = [
    `${name}: ${shortNumber(ms)} ms`,
    `${shortNumber(tflops)} TFLOP/s`,
    share !== undefined && `${Math.round(100 * share)}% of the roof`,
    arithmetic,
  ];
  return mark(arithmetic, x, y, `<title>${escapeHtml(said.filter(Boolean).join(', '))}</title>`);
}

function mark(arithmetic: Arithmetic, x: number, y: number, inside: string): string {
  const { paint, path } = LOOK[arithmetic];
  const begin = `M${px(x - MARK)} ${px(y + BEGINS[arithmetic])}`;
  return `<path class="${arithmetic}" d="${begin}${path}" fill="${paint}" fill-opacity="0.35" stroke="${paint}">${inside}</path>`;
}

const LEGEND_WIDTH = 72;

function legend(kinds: readonly Arithmetic[]): string[] {
  return kinds.flatMap((kind, i) => {
    const at = PLOT.right - LEGEND_WIDTH * (kinds.length - i);
    return [mark(kind, at, 13, ''), text(at + 12, 18, 'start', kind)];
  });
}

const gridLine = (path: string) => `<path d="${path}" stroke="var(--rule)"/>`;

const text = (x: number, y: number, anchor: 'start' | 'middle' | 'end', words: string) =>
  `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="var(--muted)">${escapeHtml(words)}</text>`;

const px = (value: number) => Number(value.toFixed(1));

/** 0.001, 1, 2,000: where zeros would be counted, a power of ten. */
const tickText = (value: number) =>
  value < 1e-3 || value >= 1e5 ? value.toExponential(0).replace('+', '') : shortNumber(value);

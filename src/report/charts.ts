import { LineChart, type LineSeriesOption } from 'echarts/charts';
import {
  GridComponent,
  type GridComponentOption,
  LegendComponent,
  type LegendComponentOption,
} from 'echarts/components';
import { type ComposeOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { logRange } from './axis.ts';
import { hoverLayer } from './hover.ts';
import { escapeHtml } from './html.ts';
import { compactNumber, shortNumber } from './numbers.ts';
import { type Point, thinned } from './series.ts';

use([LineChart, GridComponent, LegendComponent, SVGRenderer]);

type ChartOption = ComposeOption<LineSeriesOption | GridComponentOption | LegendComponentOption>;

/** One line of a chart. */
export interface Line {
  readonly name: string;
  readonly points: readonly Point[];
  /** Drawn thin and pale: what another line is the mean of. */
  readonly faint?: boolean;
  /** Of the colours of style.ts, the line's place if left out. */
  readonly colour?: number;
  /** Broken, to show another line under it. */
  readonly dashed?: boolean;
  /** A mark on every point. */
  readonly marks?: boolean;
}

/** An axis; a logarithmic one leaves out what is not positive. */
export interface Axis {
  readonly name: string;
  readonly log?: 2 | 10;
}

/** A chart of lines. */
export interface Chart {
  /** Unique in the page: made part of the identifiers inside the drawing. */
  readonly id: string;
  /** What the chart shows, for those who do not see it. */
  readonly alt: string;
  readonly caption: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly lines: readonly Line[];
}

/** Small, with large letters: it is scaled to a phone's width as to a desk's. */
const SIZE = { width: 480, height: 320 };
/** The line of text above a plot that shows the values under the pointer. */
const READING = 22;
/** Below a plot: the labels of the axis and its name. */
const BELOW = 44;
const COLOURS = 6;
/** Letters of a name in a legend, and the width of one. */
const LEGEND_LETTERS = 24;
const LETTER = 8;
const TEXT = { color: 'var(--muted)', fontSize: 14 };

/** Figures side by side, all of one width, so that their letters are of one size. */
export function figures(charts: readonly Chart[]): string {
  return `<div class="charts">\n${charts.map(figure).join('\n')}\n</div>`;
}

/** A chart as a figure with the SVG inside; its colours are the page's, so that it follows the colour scheme. */
function figure(chart: Chart): string {
  return `<figure>\n${drawing(chart)}\n<figcaption>${escapeHtml(chart.caption)}</figcaption>\n</figure>`;
}

function drawing(chart: Chart): string {
  const drawn = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  try {
    drawn.setOption(optionOf(chart));
    const svg = drawn.renderToSVGString();
    const some = chart.y.log ? 1 : 0; // any value of y: only the place along x is asked for
    const at = (x: number) => drawn.convertToPixel({ gridIndex: 0 }, [x, some])[0] as number;
    const top = 26 + READING + legendHeight(chart.lines);
    const plot = { left: 40, right: SIZE.width - 24, top, bottom: SIZE.height - BELOW, text: top - READING };
    const lines = chart.lines.map((line) => ({ ...line, points: pointsOf(line, chart) }));
    return embedded(svg, chart, hoverLayer(lines, chart.x.name, at, plot));
  } finally {
    drawn.dispose();
  }
}

function optionOf({ x, y, lines }: Chart): ChartOption {
  return {
    animation: false,
    grid: { left: 8, right: 24, top: 26 + READING + legendHeight(lines), bottom: 4, outerBoundsMode: 'same' },
    legend: {
      show: lines.length > 1,
      top: 0,
      right: 8,
      itemGap: 18,
      itemHeight: 3,
      icon: 'rect',
      textStyle: { ...TEXT, width: LEGEND_LETTERS * LETTER, overflow: 'truncate' },
    },
    xAxis: {
      ...axisOf(x),
      ...(!x.log && { max: 'dataMax' as const }),
      nameLocation: 'middle',
      nameGap: 28,
      splitLine: { show: false },
    },
    yAxis: {
      ...axisOf(y),
      ...closeTo({ x, y, lines }),
      nameLocation: 'end',
      nameTextStyle: { ...TEXT, align: 'left' },
    },
    series: lines.map((line, i) => seriesOf(line, i, x, y)),
  };
}

/** Room for a legend's rows, by the letters in it: without a page nothing measures text exactly. */
function legendHeight(lines: readonly Line[]): number {
  if (lines.length < 2) return 0;
  const widths = lines.map(({ name }) => Math.min(name.length, LEGEND_LETTERS) * LETTER + 50);
  return 22 * Math.ceil(widths.reduce((sum, width) => sum + width, 0) / SIZE.width);
}

function axisOf({ name, log }: Axis) {
  return {
    ...(log ? { type: 'log' as const, logBase: log } : { type: 'value' as const }),
    ...(log === 2 && { min: 'dataMin' as const, max: 'dataMax' as const }),
    name,
    nameTextStyle: TEXT,
    splitNumber: 4,
    axisLabel: { ...TEXT, hideOverlap: true, formatter: tick },
    axisLine: { lineStyle: { color: 'var(--muted)' } },
    splitLine: { lineStyle: { color: 'var(--rule)' } },
  };
}

/** An axis that begins and ends where its values do, and no empty half. */
function closeTo({ x, y, lines }: Pick<Chart, 'x' | 'y' | 'lines'>) {
  if (y.log !== 10) return { scale: true };
  const range = logRange(lines.flatMap((line) => pointsOf(line, { x, y })));
  if (!range) return {};
  const { min, max, ticks } = range;
  return {
    min,
    max,
    axisLabel: { ...TEXT, hideOverlap: true, formatter: tick, customValues: ticks },
    axisTick: { customValues: ticks },
  };
}

/** The points of a line that its chart shows. */
function pointsOf({ points }: Line, { x, y }: Pick<Chart, 'x' | 'y'>): readonly Point[] {
  return thinned(points.map((point) => fitted(point, y.log !== undefined)).filter(([at]) => !x.log || at > 0));
}

function seriesOf(line: Line, index: number, x: Axis, y: Axis): LineSeriesOption {
  const { name, faint, colour, dashed, marks } = line;
  const fit = pointsOf(line, { x, y });
  const paint = `var(--line-${((colour ?? index) % COLOURS) + 1})`;
  return {
    type: 'line',
    name,
    data: fit.map(([at, value]) => [at, value ?? '-']),
    // A single point has no line that would show it.
    showSymbol: marks || fit.filter(([, value]) => value !== null).length < 3,
    symbol: 'circle',
    symbolSize: 6,
    lineStyle: { color: paint, width: faint ? 1 : 2, opacity: faint ? 0.4 : 1, type: dashed ? 'dashed' : 'solid' },
    itemStyle: { color: paint, opacity: faint ? 0.4 : 1 },
    silent: true,
    emphasis: { disabled: true },
  };
}

function fitted([x, y]: Point, log: boolean): Point {
  return [x, log && y !== null && y <= 0 ? null : y];
}

/** 12k, 3M: an axis has no room for zeros. */
function tick(value: number): string {
  if (Math.abs(value) < 1e4) return shortNumber(Number(value.toPrecision(6)));
  return Math.abs(value) < 1e12 ? compactNumber(value, 4) : value.toExponential(0);
}

/** The drawing as an element of the page: scaled by style, described, without hover styles, identifiers of its own. */
function embedded(svg: string, { id, alt }: Chart, layer: string): string {
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (class|pointer-events|ecmeta_\w+)="[^"]*"/g, '')
    .replace(/\bzr\d+-/g, `${id}-`)
    .replace(
      /^<svg[^>]*>/,
      `<svg role="img" aria-label="${escapeHtml(alt)}" viewBox="0 0 ${SIZE.width} ${SIZE.height}">`,
    )
    .trim()
    .replace(/<\/svg>$/, `${layer}</svg>`);
}

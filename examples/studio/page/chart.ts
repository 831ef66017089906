import { compactNumber, shortNumber } from '../../../src/report/numbers.ts';
import { extent, type Point, thinned } from '../../../src/report/series.ts';
import { h, s } from './dom.ts';

/** One line of a chart. */
export interface ChartLine {
  readonly name: string;
  readonly points: readonly Point[];
  /** Of the five colours of the style sheet, from 1. */
  readonly colour: number;
  readonly faint?: boolean;
  /** A mark on every point. */
  readonly marks?: boolean;
}

export interface ChartOptions {
  readonly title: string;
  readonly x: string;
  /** A logarithmic axis of values; those that are not positive are left out. */
  readonly log?: boolean;
  /** Bounds of the values, where they do not follow from the lines. */
  readonly range?: readonly [low: number, high: number];
  /** Bounds along x. */
  readonly domain?: readonly [low: number, high: number];
  /** Pixels across; letters are larger in a narrow one. */
  readonly width?: number;
}

const WIDE = 340;
const HEIGHT = 170;
const LEFT = 44;
const RIGHT = 8;
const TOP = 8;
const BOTTOM = 22;
/** Points of a line at most, as many as it has pixels. */
const MOST_POINTS = 300;

/** A chart of lines that is drawn again and again: a figure with title, legend, the SVG, and the values under the pointer or the cursor. */
export class Chart {
  readonly element: HTMLElement;
  readonly #options: ChartOptions;
  readonly #width: number;
  readonly #svg = s('svg', { class: 'chart', role: 'img' });
  readonly #legend = h('p', { class: 'legend' });
  readonly #readout = h('p', { class: 'readout', 'aria-live': 'off' });
  #lines: readonly ChartLine[] = [];
  #scale = scaleOf([], { title: '', x: '' });

  constructor(options: ChartOptions) {
    this.#options = options;
    this.#width = options.width ?? WIDE;
    this.#svg.setAttribute('aria-label', `${options.title}: nothing yet`);
    this.#svg.setAttribute('viewBox', `0 0 ${this.#width} ${HEIGHT}`);
    const head = h('div', { class: 'figure-head' }, h('h3', {}, options.title), this.#legend, this.#readout);
    this.element = h('figure', {}, head);
    this.element.append(this.#svg);
    this.#svg.addEventListener('pointermove', (event) => this.#point(event as PointerEvent));
    this.#svg.addEventListener('pointerleave', () => this.#unpoint());
  }

  show(lines: readonly ChartLine[]): void {
    const { title, x, log } = this.#options;
    const fitting = (value: number | null) => (log && value !== null && value <= 0 ? null : value);
    this.#lines = lines.map((line) => ({
      ...line,
      points: thinned(
        line.points.map(([at, value]) => [at, fitting(value)] as const),
        MOST_POINTS,
      ),
    }));
    this.#scale = scaleOf(this.#lines, this.#options);
    const named = lines.filter((line) => !line.faint);
    this.#legend.replaceChildren(
      ...(named.length > 1
        ? named.map(({ name, colour }) => h('span', {}, h('i', { style: `background: var(--line-${colour})` }), name))
        : []),
    );
    this.#svg.setAttribute('aria-label', `${title} over ${x}: ${this.#lines.map(described).join('; ')}`);
    this.#svg.replaceChildren(...this.#axes(), ...this.#lines.flatMap((line) => this.#drawn(line)));
  }

  #axes(): SVGElement[] {
    const { across, up, ticks, xs } = this.#scale;
    const [right, bottom] = [this.#width - RIGHT, HEIGHT - BOTTOM];
    return [
      ...ticks.flatMap((value) => [
        s('line', { class: 'grid', x1: LEFT, x2: right, y1: up(value), y2: up(value) }),
        s('text', { x: LEFT - 6, y: up(value) + 4, 'text-anchor': 'end' }, tick(value)),
      ]),
      ...xs.map((value) =>
        s(
          'text',
          {
            x: across(value),
            y: HEIGHT - 6,
            'text-anchor': across(value) > right - 12 ? 'end' : 'middle',
          },
          tick(value),
        ),
      ),
      s('line', { class: 'axis', x1: LEFT, x2: right, y1: bottom, y2: bottom }),
    ];
  }

  #drawn({ points, colour, faint, marks }: ChartLine): SVGElement[] {
    const { across, up } = this.#scale;
    let pen = 'M';
    let path = '';
    for (const [x, y] of points) {
      if (y === null) {
        pen = 'M';
        continue;
      }
      path += `${pen}${across(x).toFixed(1)} ${up(y).toFixed(1)}`;
      pen = 'L';
    }
    const stroke = `stroke: var(--line-${colour})`;
    const dots = marks || points.length < 2 ? points.filter(([, y]) => y !== null) : [];
    return [
      s('path', { d: path || 'M0 0', style: stroke, ...(faint && { class: 'faint' }) }),
      ...dots.map(([x, y]) =>
        s('circle', { cx: across(x), cy: up(y as number), r: 2.5, style: `fill: var(--line-${colour})` }),
      ),
    ];
  }

  #point(event: PointerEvent): void {
    const box = this.#svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.#width;
    const { across } = this.#scale;
    const shown = this.#lines.filter((line) => !line.faint && line.points.length > 0);
    const nearest = (points: readonly Point[]) =>
      points.reduce((best, point) => (Math.abs(across(point[0]) - at) < Math.abs(across(best[0]) - at) ? point : best));
    const [first] = shown;
    if (!first) return;
    const [x] = nearest(first.points);
    const values = shown
      .map((line) => nearest(line.points)[1])
      .map((value) => (value === null ? '–' : shortNumber(value)));
    this.#readout.textContent = `${shortNumber(x)}: ${values.join(' · ')}`;
    this.#svg.querySelector('.at')?.remove();
    this.#svg.append(s('line', { class: 'at', x1: across(x), x2: across(x), y1: TOP, y2: HEIGHT - BOTTOM }));
  }

  #unpoint(): void {
    this.#readout.textContent = '';
    this.#svg.querySelector('.at')?.remove();
  }
}

interface Scale {
  readonly across: (x: number) => number;
  readonly up: (y: number) => number;
  readonly ticks: readonly number[];
  readonly xs: readonly number[];
}

function scaleOf(lines: readonly ChartLine[], { log, range, domain, width = WIDE }: ChartOptions): Scale {
  const [low, high] = range ?? widened(bounds(lines.map((line) => extent(line.points))), log ?? false);
  const [left, right] = domain ?? bounds(lines.map(({ points }) => ends(points)));
  const value = (y: number) => (log ? Math.log(y) : y);
  const height = HEIGHT - TOP - BOTTOM;
  const across = (x: number) => LEFT + ((x - left) / (right - left || 1)) * (width - LEFT - RIGHT);
  const up = (y: number) => TOP + height - ((value(y) - value(low)) / (value(high) - value(low) || 1)) * height;
  return {
    across,
    up,
    ticks: log ? logTicks(low, high) : linearTicks(low, high),
    xs: linearTicks(left, right, 5, domain ? 0 : 1),
  };
}

const ends = (points: readonly Point[]): readonly [number, number] | undefined =>
  points.length === 0 ? undefined : [points[0]?.[0] as number, points.at(-1)?.[0] as number];

function bounds(all: readonly (readonly [number, number] | undefined)[]): readonly [number, number] {
  const known = all.filter((each) => each !== undefined);
  if (known.length === 0) return [0, 1];
  const [low, high] = [Math.min(...known.map(([a]) => a)), Math.max(...known.map(([, b]) => b))];
  return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
}

/** A little room above and below, so that no line runs along the edge. */
function widened([low, high]: readonly [number, number], log: boolean): readonly [number, number] {
  if (log) return low > 0 ? [low / 1.08, high * 1.08] : [high / 100 || 0.01, high || 1];
  const room = (high - low) * 0.06;
  return [low >= 0 && low < room * 4 ? 0 : low - room, high + room];
}

/** Round numbers, about so many of them, no nearer than `least`. */
function linearTicks(low: number, high: number, many = 3, least = 0): number[] {
  const rough = Math.max(least, (high - low) / many);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((each) => each * power >= rough) ?? 10) * power;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}

/** Powers of ten, and with few of them 2 and 5 between. */
function logTicks(low: number, high: number): number[] {
  const powers = Array.from({ length: 40 }, (_, i) => 10 ** (i - 20));
  const within = (values: number[]) => values.filter((value) => value >= low && value <= high);
  const tens = within(powers);
  if (tens.length > 2) return tens;
  const more = within(powers.flatMap((power) => [power, 2 * power, 5 * power]));
  return more.length > 1 ? more : linearTicks(low, high);
}

const tick = (value: number) =>
  Math.abs(value) >= 1e4 ? compactNumber(value, 3) : shortNumber(Number(value.toPrecision(3)));

function described({ name, points }: ChartLine): string {
  const range = extent(points);
  if (!range) return `${name} has no values`;
  const last = points.findLast(([, y]) => y !== null)?.[1] as number;
  return `${name} from ${shortNumber(range[0])} to ${shortNumber(range[1])}, last ${shortNumber(last)}`;
}

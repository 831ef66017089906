import type { RunConfig } from '../../../src/run/settings.ts';
import { h } from '../page/dom.ts';
import { slider } from '../page/slider.ts';
import { isToy, toyDataset } from './data.ts';
import { type Flow, gridPoints, REACH, SIDE } from './flow.ts';

/** Pixels of the drawing, twice what it takes on a page, for sharp screens. */
const SIZE = 1040;
/** Points of the data that are drawn, and ways that are. */
const DATA_POINTS = 800;
const WAYS = 120;

/** The plane: the data, the field of velocities at a time, and points on their way from noise to data. */
export class PlaneView {
  readonly #canvas = h('canvas', { width: SIZE, height: SIZE, id: 'plane', role: 'img', 'aria-label': 'The plane' });
  readonly #grid = gridPoints();
  #data: { readonly points: Float32Array; readonly labels: Uint32Array } | undefined;
  #flow: Flow | undefined;

  constructor(root: HTMLElement, changed: (t: number) => void) {
    const time = slider(
      { label: 'Time of the field', hint: '1 is noise, 0 is data', min: 0.02, max: 1, step: 0.01 },
      changed,
    );
    time.show(0.5);
    root.append(
      h(
        'figure',
        { class: 'plane' },
        h(
          'div',
          { class: 'figure-head' },
          h('h3', {}, 'From noise to data'),
          h(
            'figcaption',
            {},
            'grey: the data; lines: the ways of points; arrows: the velocity that the network gives, against time',
          ),
        ),
        h('div', { class: 'plate' }, this.#canvas),
        time.element,
      ),
    );
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw());
  }

  /** The data that a model was trained on. */
  follow({ data }: RunConfig): void {
    if (!isToy(data.name)) return;
    const dataset = toyDataset(data.name, DATA_POINTS);
    const points = new Float32Array(2 * DATA_POINTS);
    for (let i = 0; i < DATA_POINTS; i++) dataset.image(i, points, 2 * i);
    this.#data = { points, labels: dataset.labels };
    this.#flow = undefined;
    this.#draw();
  }

  show(flow: Flow): void {
    this.#flow = flow;
    this.#canvas.setAttribute(
      'aria-label',
      `${flow.labels.length} points on their way from noise to data in ${flow.states.length - 1} moves, and the velocities at time ${flow.t.toFixed(2)}`,
    );
    this.#canvas.dataset.drawn = String(Number(this.#canvas.dataset.drawn ?? 0) + 1);
    this.#draw();
  }

  #draw(): void {
    const context = this.#canvas.getContext('2d');
    if (!context) return;
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name);
    const colours = [colour('--line-1'), colour('--line-2')];
    context.clearRect(0, 0, SIZE, SIZE);
    const at = (values: Float32Array, i: number) =>
      [place(values[2 * i] as number), place(-(values[2 * i + 1] as number))] as const;
    if (this.#data) {
      context.fillStyle = colour('--edge');
      const { points } = this.#data;
      for (let i = 0; i < points.length / 2; i++) dot(context, ...at(points, i), 3);
    }
    if (!this.#flow) return;
    const { states, labels, field } = this.#flow;
    const end = states.at(-1) as Float32Array;
    context.lineWidth = 1.5;
    context.globalAlpha = 0.35;
    for (let i = 0; i < Math.min(WAYS, labels.length); i++) {
      context.strokeStyle = colours[(labels[i] as number) % 2] as string;
      context.beginPath();
      for (const state of states) context.lineTo(...at(state, i)); // the first one moves there
      context.stroke();
    }
    context.globalAlpha = 1;
    for (let i = 0; i < labels.length; i++) {
      context.fillStyle = colours[(labels[i] as number) % 2] as string;
      dot(context, ...at(end, i), 4);
    }
    this.#arrows(context, field, colour('--muted'));
  }

  /** Against time: the way that a point takes towards the data. */
  #arrows(context: CanvasRenderingContext2D, field: Float32Array, colour: string): void {
    const longest = (0.85 * SIZE) / SIDE;
    const scale = SIZE / (2 * REACH) / 5;
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 2;
    for (let i = 0; i < SIDE * SIDE; i++) {
      const [x, y] = [place(this.#grid[2 * i] as number), place(-(this.#grid[2 * i + 1] as number))];
      let [dx, dy] = [-(field[2 * i] as number) * scale, (field[2 * i + 1] as number) * scale];
      const length = Math.hypot(dx, dy);
      if (length > longest) [dx, dy] = [(dx * longest) / length, (dy * longest) / length];
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + dx, y + dy);
      context.stroke();
      dot(context, x, y, 2.5);
    }
  }
}

const place = (value: number) => (SIZE * (value + REACH)) / (2 * REACH);

function dot(context: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}

import { column, type Row, runningMean } from '../../../src/report/series.ts';
import type { SampleLosses } from '../../../src/ucgm/index.ts';
import { Chart } from '../page/chart.ts';
import { h } from '../page/dom.ts';
import { LossesByTime } from './loss_by_time.ts';

/** Lines of a log that are kept for the charts; of more every other one goes. */
const MOST_LINES = 4000;

/** The curves of a training: loss, loss by time, gradient norm and images a second. */
export class TrainingCharts {
  readonly element: HTMLElement;
  readonly #loss = new Chart({ title: 'Loss', x: 'step', log: true });
  readonly #byTime = new Chart({ title: 'Loss by time', x: 'time t', domain: [0, 1] });
  readonly #norm = new Chart({ title: 'Gradient norm', x: 'step', log: true });
  readonly #rate = new Chart({ title: 'Images/s', x: 'step' });
  #lines: Row[] = [];
  #losses = new LossesByTime();
  readonly #drawings = [
    () => this.#drawLoss(),
    () => this.#drawByTime(),
    () => this.#drawNorm(),
    () => this.#drawRate(),
  ];
  readonly #waiting = new Set<() => void>();

  constructor() {
    const all = [this.#loss, this.#byTime, this.#norm, this.#rate].map(({ element }) => element);
    this.#byTime.element.append(
      h(
        'figcaption',
        {},
        'The mean loss of the samples of the training whose time t falls into each tenth; t = 1 is noise.',
      ),
    );
    this.element = h('div', { class: 'charts' }, ...all);
  }

  /** Begins with the lines of a log. */
  begin(lines: readonly Row[]): void {
    this.#lines = [...lines];
    this.#losses = new LossesByTime();
    this.#draw();
  }

  /** Steps that were measured; those of an earlier log from the same step on go. */
  add(lines: readonly Row[]): void {
    const [first] = lines;
    if (!first) return;
    const kept = this.#lines.findLastIndex((line) => line.step < first.step) + 1;
    this.#lines = [...this.#lines.slice(0, kept), ...lines];
    if (this.#lines.length > MOST_LINES) this.#lines = this.#lines.filter((_, i) => i % 2 === 1);
    this.#draw();
  }

  /** The losses of a step's samples. */
  addSamples(samples: SampleLosses): void {
    this.#losses.add(samples);
    this.#draw();
  }

  /** What has changed since it was drawn: one chart a frame, so that a frame stays short. */
  #draw(): void {
    const idle = this.#waiting.size === 0;
    for (const draw of this.#drawings) this.#waiting.add(draw);
    if (idle) requestAnimationFrame(() => this.#drawOne());
  }

  #drawOne(): void {
    const [draw] = this.#waiting;
    if (!draw) return;
    this.#waiting.delete(draw);
    draw();
    if (this.#waiting.size > 0) requestAnimationFrame(() => this.#drawOne());
  }

  #drawLoss(): void {
    const loss = column(this.#lines, 'loss');
    this.#loss.show([
      { name: 'each step', points: loss, colour: 1, faint: true },
      { name: 'running mean', points: runningMean(loss), colour: 1 },
    ]);
  }

  #drawByTime(): void {
    const curves = this.#losses.curves;
    this.#byTime.show(
      curves.map(({ first, last, points }, i) => ({
        name: first === last ? `step ${first}` : `steps ${first} to ${last}`,
        points,
        colour: i === curves.length - 1 ? 2 : 5,
        marks: true,
      })),
    );
  }

  #drawNorm(): void {
    const norm = column(this.#lines, 'gradNorm');
    this.#norm.show([
      { name: 'each step', points: norm, colour: 4, faint: true },
      { name: 'running mean', points: runningMean(norm), colour: 4 },
    ]);
  }

  #drawRate(): void {
    this.#rate.show([{ name: 'images/s', points: column(this.#lines, 'imagesPerSecond'), colour: 3 }]);
  }
}

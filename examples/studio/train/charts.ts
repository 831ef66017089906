import { column, type Row, runningMean } from '../../../src/report/series.ts';
import { TIMES } from '../engine/times.ts';
import { Chart } from '../page/chart.ts';
import { h } from '../page/dom.ts';

/** Lines of a log that are kept for the charts; of more every other one goes. */
const MOST_LINES = 4000;

/** The curves of a training: loss, loss by time, gradient norm and images a second. */
export class TrainingCharts {
  readonly element: HTMLElement;
  readonly #loss = new Chart({ title: 'Loss', x: 'step', log: true });
  readonly #byTime = new Chart({ title: 'Velocity error by time', x: 'time t', domain: [0, 1] });
  readonly #norm = new Chart({ title: 'Gradient norm', x: 'step', log: true });
  readonly #rate = new Chart({ title: 'Images/s', x: 'step' });
  #lines: Row[] = [];
  #errors: (readonly [step: number, errors: readonly number[]])[] = [];
  #waiting = false;

  constructor() {
    const all = [this.#loss, this.#byTime, this.#norm, this.#rate].map(({ element }) => element);
    this.#byTime.element.append(
      h(
        'figcaption',
        {},
        '‖F − v‖² / ‖v‖² on 64 images; 0 is right, 1 is a network that says nothing. t = 1 is noise.',
      ),
    );
    this.element = h('div', { class: 'charts' }, ...all);
  }

  /** Begins with the lines of a log. */
  begin(lines: readonly Row[]): void {
    this.#lines = [...lines];
    this.#errors = [];
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

  /** The error of the velocity by time, after a step. */
  errors(step: number, errors: readonly number[]): void {
    this.#errors = [...this.#errors.slice(-1), [step, errors]];
    this.#draw();
  }

  /** Once a frame at most. */
  #draw(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      const loss = column(this.#lines, 'loss');
      this.#loss.show([
        { name: 'each step', points: loss, colour: 1, faint: true },
        { name: 'running mean', points: runningMean(loss), colour: 1 },
      ]);
      const norm = column(this.#lines, 'gradNorm');
      this.#norm.show([
        { name: 'each step', points: norm, colour: 4, faint: true },
        { name: 'running mean', points: runningMean(norm), colour: 4 },
      ]);
      this.#rate.show([{ name: 'images/s', points: column(this.#lines, 'imagesPerSecond'), colour: 3 }]);
      this.#byTime.show(
        this.#errors.map(([step, errors], i) => ({
          name: `step ${step}`,
          points: TIMES.map((t, k) => [t, errors[k] ?? null] as const),
          colour: i === this.#errors.length - 1 ? 2 : 5,
          marks: true,
        })),
      );
    });
  }
}

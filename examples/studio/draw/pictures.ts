import type { Picture } from '../../../src/io/png.ts';
import { STRIP_STEPS } from '../../../src/run/strip.ts';
import type { DrawnPicture } from '../engine/drawing.ts';
import type { ModelFacts } from '../engine/engine.ts';
import type { Trajectory } from '../engine/trajectory.ts';
import { h } from '../page/dom.ts';
import { showPicture } from '../page/pixels.ts';
import type { Store } from '../page/store.ts';
import type { Settings } from '../settings.ts';

/** Rows of the grid of samples. */
export const ROWS = 6;

/** What is seen of a model: a grid of samples, the same noise at several numbers of steps, and the way of one sample. */
export class Pictures {
  readonly #grid = h('canvas', { role: 'img', 'aria-label': 'Samples', id: 'samples', width: 338, height: 202 });
  readonly #strip = h('canvas', {
    role: 'img',
    'aria-label': 'Samples by number of steps',
    id: 'strip',
    width: 338,
    height: 168,
  });
  readonly #way = h('canvas', {
    role: 'img',
    'aria-label': 'The way of one sample',
    id: 'way',
    width: 338,
    height: 66,
  });
  readonly #plate = h('div', { class: 'plate busy' }, this.#grid);
  readonly #times = h('p', { class: 'columns', 'aria-hidden': 'true' });
  readonly #image = h('input', { type: 'number', id: 'image', min: 0, step: 1 });
  readonly #took = h('figcaption', { id: 'took', role: 'status' }, 'Drawing');
  #columns = 10;

  constructor(root: HTMLElement, store: Store<Settings>) {
    this.#grid.addEventListener('click', (event) => {
      const { width, height } = this.#grid.getBoundingClientRect();
      const column = Math.floor((event.offsetX / width) * this.#columns);
      store.set({ image: Math.floor((event.offsetY / height) * ROWS) * this.#columns + column });
    });
    this.#image.addEventListener('change', () => {
      const { valueAsNumber: image } = this.#image;
      if (Number.isInteger(image) && image >= 0) store.set({ image: Math.min(image, ROWS * this.#columns - 1) });
    });
    store.watch(({ image }) => (this.#image.value = String(image)));
    const steps = h('ol', { 'aria-hidden': 'true' }, ...STRIP_STEPS.map((n) => h('li', {}, String(n))));
    root.className = 'blocks';
    root.append(
      h('figure', {}, h('div', { class: 'figure-head' }, this.#took), this.#plate),
      h(
        'div',
        { class: 'pair' },
        h(
          'figure',
          {},
          h('div', { class: 'figure-head' }, h('h3', {}, 'The same noise'), h('figcaption', {}, 'by number of steps')),
          h('div', { class: 'plate' }, h('div', { class: 'rows' }, steps, this.#strip)),
        ),
        h(
          'figure',
          {},
          h(
            'div',
            { class: 'figure-head' },
            h('h3', {}, 'The way of one sample'),
            h('figcaption', {}, 'state above, prediction below'),
          ),
          h('div', { class: 'plate' }, this.#way, this.#times),
          h('div', { class: 'field inline' }, h('label', { for: 'image' }, 'Image (or click one above)'), this.#image),
        ),
      ),
    );
  }

  follow({ columns }: ModelFacts): void {
    this.#columns = columns;
    this.#image.max = String(ROWS * columns - 1);
  }

  /** A new grid is being drawn. */
  busy(): void {
    this.#plate.classList.add('busy');
  }

  grid({ picture, passes, images, ms }: DrawnPicture): void {
    showPicture(this.#grid, picture);
    this.#plate.classList.remove('busy');
    const time = ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
    this.#took.textContent = `${images} images in ${time}, ${passes} ${passes === 1 ? 'pass' : 'passes'} through the network each`;
    this.#grid.setAttribute('aria-label', `${images} samples, a class a column`);
    this.#grid.dataset.images = String(images);
  }

  strip(picture: Picture): void {
    showPicture(this.#strip, picture);
    this.#strip.setAttribute(
      'aria-label',
      `Samples of the same noise, a row for each of ${STRIP_STEPS.join(', ')} steps, a class a column`,
    );
    this.#strip.dataset.drawn = String(Number(this.#strip.dataset.drawn ?? 0) + 1);
  }

  way({ picture, times }: Trajectory): void {
    showPicture(this.#way, picture);
    this.#times.replaceChildren(...times.map((t) => h('span', {}, t.toFixed(2).replace(/^0/, ''))));
    this.#way.setAttribute(
      'aria-label',
      `One sample at the times ${times.map((t) => t.toFixed(2)).join(', ')}: its state above, the prediction of its end below`,
    );
  }
}

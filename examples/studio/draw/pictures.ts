import type { Picture } from '../../../src/io/png.ts';
import { type DrawnPicture, STRIP_STEPS } from '../engine/drawing.ts';
import type { Trajectory } from '../engine/trajectory.ts';
import { h } from '../page/dom.ts';
import { showPicture } from '../page/pixels.ts';
import type { Store } from '../page/store.ts';
import type { Settings } from '../settings.ts';

/** Pixels that an image of a strip takes on the page at most. */
const LARGEST = 64;

/** What is seen of a model: a grid of samples, the same noise at several numbers of steps, and the way of one sample. */
export class Pictures {
  readonly #grid = canvas('samples', 'Samples', 338, 202);
  readonly #strip = canvas('strip', 'Samples by number of steps', 338, 134);
  readonly #way = canvas('way', 'The way of one sample', 338, 66);
  readonly #plate = h('div', { class: 'plate busy' }, this.#grid);
  readonly #times = h('p', { class: 'columns', 'aria-hidden': 'true' });
  readonly #image = h('input', { type: 'number', id: 'image', min: 0, step: 1 });
  readonly #took = h('figcaption', { id: 'took' }, 'Drawing');
  #columns = 10;
  #rows = 6;

  constructor(root: HTMLElement, store: Store<Settings>) {
    this.#grid.addEventListener('click', (event) => {
      const { width, height } = this.#grid.getBoundingClientRect();
      const column = Math.floor((event.offsetX / width) * this.#columns);
      store.set({ image: Math.floor((event.offsetY / height) * this.#rows) * this.#columns + column });
    });
    this.#image.addEventListener('change', () => {
      const { valueAsNumber: image } = this.#image;
      if (Number.isInteger(image) && image >= 0) store.set({ image: Math.min(image, this.#rows * this.#columns - 1) });
    });
    store.watch(({ image }) => {
      this.#image.value = String(image);
    });
    const steps = h('ol', { 'aria-hidden': 'true' }, ...STRIP_STEPS.map((n) => h('li', {}, String(n))));
    root.className = 'blocks';
    root.append(
      h('figure', {}, h('div', { class: 'figure-head' }, this.#took), this.#plate),
      h(
        'div',
        { class: 'pair' },
        small('The same noise', 'by number of steps', h('div', { class: 'rows' }, steps, this.#strip)),
        small(
          'The way of one sample',
          'state above, prediction below',
          h('div', {}, this.#way, this.#times),
          h('div', { class: 'field inline' }, h('label', { for: 'image' }, 'Image (or click one)'), this.#image),
        ),
      ),
    );
  }

  /** How many images there are. */
  arrange(rows: number, columns: number): void {
    [this.#rows, this.#columns] = [rows, columns];
    this.#image.max = String(rows * columns - 1);
    if (this.#grid.dataset.drawn === undefined)
      [this.#grid.width, this.#grid.height] = [34 * columns - 2, 34 * rows - 2];
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
    this.#grid.dataset.drawn = String(Number(this.#grid.dataset.drawn ?? 0) + 1);
  }

  strip(picture: Picture, columns: number): void {
    showPicture(this.#strip, picture);
    this.#strip.style.maxWidth = `${columns * LARGEST}px`;
    this.#strip.setAttribute(
      'aria-label',
      `Samples of the same noise, a row for each of ${STRIP_STEPS.join(', ')} steps, a class a column`,
    );
    this.#strip.dataset.drawn = String(Number(this.#strip.dataset.drawn ?? 0) + 1);
  }

  way({ picture, times }: Trajectory): void {
    showPicture(this.#way, picture);
    this.#way.style.maxWidth = this.#times.style.maxWidth = `${times.length * LARGEST}px`;
    this.#times.replaceChildren(...times.map((t) => h('span', {}, t.toFixed(2).replace(/^0/, ''))));
    this.#way.setAttribute(
      'aria-label',
      `One sample at the times ${times.map((t) => t.toFixed(2)).join(', ')}: its state above, the prediction of its end below`,
    );
    this.#way.dataset.drawn = String(Number(this.#way.dataset.drawn ?? 0) + 1);
  }
}

const canvas = (id: string, label: string, width: number, height: number) =>
  h('canvas', { id, role: 'img', 'aria-label': label, width, height });

function small(title: string, caption: string, body: HTMLElement, ...more: HTMLElement[]): HTMLElement {
  const head = h('div', { class: 'figure-head' }, h('h3', {}, title), h('figcaption', {}, caption));
  return h('figure', {}, head, h('div', { class: 'plate' }, body), ...more);
}

import { proxy, type Remote } from 'comlink';
import { STRIP_STEPS } from '../engine/drawing.ts';
import type { Engine, ModelFacts } from '../engine/engine.ts';
import { byId } from '../page/dom.ts';
import { latest } from '../page/latest.ts';
import type { Store } from '../page/store.ts';
import type { Settings } from '../settings.ts';
import { PlaneView } from '../toy/view.ts';
import { Pictures } from './pictures.ts';

/** Rows of the grid, and columns of the strip: a processor that stands in for a GPU draws few. */
const ROWS = { gpu: 6, software: 1 };
const STRIP = { gpu: 10, software: 2 };

/** Draws what there is to see of the model that is shown, whenever the settings or its weights change. */
export class Gallery {
  /** Images a second and pass, of the fastest drawing of this model: the first waits for its kernels. How fast this device is. */
  rate: { readonly perSecond: number; readonly model: ModelFacts } | undefined;
  readonly #store: Store<Settings>;
  readonly #pictures: Pictures;
  readonly #plane: PlaneView;
  readonly #refresh: (settings: Settings) => void;
  /** When weights that move may be drawn again: drawing beside a training takes a third of the time. */
  #next = 0;
  #model: ModelFacts | undefined;
  #time = 0.5;
  #kind: keyof typeof ROWS = 'gpu';

  constructor(engine: Remote<Engine>, store: Store<Settings>, failed: (error: unknown) => void, measured: () => void) {
    this.#store = store;
    this.#pictures = new Pictures(byId('pictures'), store);
    this.#plane = new PlaneView(byId('toy'), (t) => {
      this.#time = t;
      this.refresh();
    });
    this.#refresh = latest<Settings>(
      async (settings, stale) => {
        const model = this.#model;
        if (!model) return;
        const start = performance.now();
        this.#next = Number.POSITIVE_INFINITY;
        try {
          if (isPlane(model)) this.#plane.show(await engine.flow(settings, this.#time));
          else await this.#draw(engine, model, settings, stale, measured);
        } finally {
          this.#next = 3 * performance.now() - 2 * start;
        }
      },
      () => void engine.cancel(),
      (error) => {
        if ((error as Error).name !== 'AbortError') failed(error); // another model took its place
      },
    );
  }

  /** Draws on this kind of device from now on. */
  onSoftware(is: boolean): void {
    this.#kind = is ? 'software' : 'gpu';
  }

  /** Another model is drawn from, from the next drawing on. */
  follow(model: ModelFacts): void {
    this.#model = model;
    const plane = isPlane(model);
    byId('toy').hidden = !plane;
    byId('pictures').hidden = plane;
    this.#pictures.arrange(ROWS[this.#kind], model.columns);
    if (plane) this.#plane.follow(model.config);
  }

  /** Draws anew. */
  refresh(): void {
    this.#refresh(this.#store.value);
  }

  /** The weights have moved: draws anew, if that is not too often. */
  moved(): void {
    if (performance.now() > this.#next) this.refresh();
  }

  async #draw(
    engine: Remote<Engine>,
    model: ModelFacts,
    settings: Settings,
    stale: () => boolean,
    measured: () => void,
  ): Promise<void> {
    const { columns } = model;
    const { seed, image: index } = settings;
    this.#pictures.busy();
    await engine.draw(
      settings,
      { rows: ROWS[this.#kind], columns, seed },
      proxy((part) => {
        this.#pictures.grid(part);
        this.#drew(model, part.images * part.passes, part.ms);
      }),
    );
    measured();
    if (stale()) return;
    this.#pictures.way(await engine.trajectory(settings, { index, label: index % columns, seed }));
    if (stale()) return;
    const across = Math.min(columns, STRIP[this.#kind]);
    let [row, began] = [0, performance.now()];
    await engine.strip(
      settings,
      across,
      proxy((picture) => {
        const now = performance.now();
        this.#pictures.strip(picture, across);
        this.#drew(model, across * (STRIP_STEPS[row++] ?? 0), now - began);
        began = now;
      }),
    );
    measured();
  }

  /** So many images went through the network once, in so many ms. */
  #drew(model: ModelFacts, passes: number, ms: number): void {
    const perSecond = (1000 * passes) / ms;
    if (this.rate?.model !== model || perSecond > this.rate.perSecond) this.rate = { perSecond, model };
  }
}

const isPlane = ({ input: [channels, height, width] }: ModelFacts) => channels === 2 && height === 1 && width === 1;

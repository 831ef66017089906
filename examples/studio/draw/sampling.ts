import { sampleCommand } from '../command.ts';
import type { ModelFacts } from '../engine/engine.ts';
import { copyButton, h } from '../page/dom.ts';
import { type Slider, type SliderOptions, slider } from '../page/slider.ts';
import type { Store } from '../page/store.ts';
import { type Settings, samplingSettings, withSettings } from '../settings.ts';
import { ScheduleChart } from './schedule.ts';

type Numeric = 'steps' | 'kappa' | 'rho' | 'gapNoise' | 'gapData' | 'warpA' | 'warpB' | 'warpC' | 'guidance';

const SLIDERS: readonly (SliderOptions & { readonly key: Numeric })[] = [
  { key: 'steps', label: 'Steps', hint: 'Moves from noise to data', min: 1, max: 50, step: 1 },
  { key: 'guidance', label: 'Guidance', hint: 'How far towards the class; 1 is none', min: 0, max: 6, step: 0.1 },
  { key: 'rho', label: 'Fresh noise ρ', hint: 'Share of new noise in each step', min: 0, max: 1, step: 0.01 },
  {
    key: 'kappa',
    label: 'Extrapolation κ',
    hint: 'Ahead along the change of the last step',
    min: 0,
    max: 1,
    step: 0.01,
  },
];
const TIMES: readonly (SliderOptions & { readonly key: Numeric })[] = [
  {
    key: 'gapNoise',
    label: 'Gap at the noise',
    hint: 'The first time, short of pure noise',
    min: 0,
    max: 0.49,
    step: 0.001,
  },
  {
    key: 'gapData',
    label: 'Gap at the data',
    hint: 'The last time, short of pure data',
    min: 0,
    max: 0.49,
    step: 0.001,
  },
  { key: 'warpA', label: 'Kumaraswamy A', hint: 'Below 1: more times near the noise', min: 0.2, max: 3, step: 0.01 },
  { key: 'warpB', label: 'Kumaraswamy B', hint: 'Below 1: more times near the data', min: 0.2, max: 3, step: 0.01 },
  { key: 'warpC', label: 'Kumaraswamy C', hint: 'A power on the times', min: 0.2, max: 3, step: 0.01 },
];

/** The panel of UCGM-S: its sliders, the schedule that they come to, and how to do the same elsewhere. */
export class SamplingPanel {
  readonly #store: Store<Settings>;
  readonly #schedule = new ScheduleChart();
  readonly #sliders = new Map<Numeric, Slider>();
  readonly #order = h(
    'select',
    { id: 'order' },
    h('option', { value: 1 }, '1, Euler'),
    h('option', { value: 2 }, '2, Heun-like'),
  );
  readonly #seed = h('input', { type: 'number', id: 'seed', min: 0, step: 1, inputmode: 'numeric' });
  #model: ModelFacts | undefined;

  constructor(root: HTMLElement, store: Store<Settings>) {
    this.#store = store;
    this.#order.addEventListener('change', () => store.set({ order: Number(this.#order.value) }));
    this.#seed.addEventListener('change', () => {
      if (Number.isSafeInteger(this.#seed.valueAsNumber)) store.set({ seed: Math.abs(this.#seed.valueAsNumber) });
    });
    const another = h(
      'button',
      { type: 'button', onclick: () => store.set({ seed: store.value.seed + 1 }) },
      'New noise',
    );
    root.append(
      ...SLIDERS.map((options) => this.#slider(options)),
      h(
        'div',
        { class: 'fields' },
        h('div', { class: 'field' }, h('label', { for: 'order' }, 'Order'), this.#order),
        h('div', { class: 'field' }, h('label', { for: 'seed' }, 'Seed'), this.#seed),
      ),
      h('div', { class: 'buttons' }, another, this.#reset()),
      this.#schedule.element,
      h(
        'details',
        {},
        h('summary', {}, 'Times: gaps and warp'),
        h('div', { class: 'blocks' }, ...TIMES.map((options) => this.#slider(options))),
      ),
      h(
        'div',
        { class: 'buttons' },
        copyButton('Copy as command', () => sampleCommand(store.value, this.#model?.file)),
        copyButton('Copy link', () => location.href),
      ),
    );
    store.watch((settings) => this.#show(settings));
  }

  /** The model that is drawn from has changed. */
  follow(model: ModelFacts): void {
    this.#model = model;
    this.#show(this.#store.value);
  }

  #slider(options: SliderOptions & { readonly key: Numeric }): HTMLElement {
    const made = slider(options, (value) => this.#store.set({ [options.key]: value }));
    this.#sliders.set(options.key, made);
    return made.element;
  }

  #reset(): HTMLElement {
    const own = () => this.#model && this.#store.set(samplingSettings(this.#model.config));
    return h('button', { type: 'button', onclick: own }, "Model's own");
  }

  #show(settings: Settings): void {
    for (const [key, each] of this.#sliders) each.show(settings[key]);
    this.#order.value = String(settings.order);
    this.#seed.value = String(settings.seed);
    if (this.#model) this.#schedule.show(withSettings(this.#model.config, settings));
  }
}

import { h } from './dom.ts';

/** A number that is set by a slider or typed. */
export interface SliderOptions {
  readonly label: string;
  /** What moving it does, in a few words. */
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** The number as it is to be shown; the digits of `step` if left out. */
  readonly format?: (value: number) => string;
}

export interface Slider {
  readonly element: HTMLElement;
  /** Shows a value, telling nobody. */
  show(value: number): void;
}

let count = 0;

/** A slider with its name, its number and a word on what it does. */
export function slider(options: SliderOptions, changed: (value: number) => void): Slider {
  const { label, hint, min, max, step } = options;
  const format = options.format ?? ((value: number) => value.toFixed(digitsOf(step)));
  const id = `slider-${++count}`;
  const input = h('input', { type: 'range', id, min, max, step, 'aria-describedby': `${id}-hint` });
  const output = h('output', { for: id });
  const show = (value: number) => {
    input.value = String(value);
    output.textContent = format(value);
  };
  input.addEventListener('input', () => {
    output.textContent = format(input.valueAsNumber);
    changed(input.valueAsNumber);
  });
  const element = h(
    'div',
    { class: 'slider' },
    h('label', { for: id }, label),
    output,
    input,
    h('p', { class: 'hint', id: `${id}-hint` }, hint),
  );
  return { element, show };
}

const digitsOf = (step: number) => Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));

import { grouped, shortNumber } from '../../../src/report/numbers.ts';
import type { TrainingUpdate } from '../engine/training.ts';
import { h } from '../page/dom.ts';

/** Where a training is: a bar, its numbers as they are now, and the buttons that steer it. */
export class ProgressView {
  readonly element: HTMLElement;
  readonly #status = h('p', { role: 'status', id: 'training-status' });
  /** Not told aloud: it changes with every step. */
  readonly #left = h('span', { class: 'hint', id: 'time-left' });
  readonly #bar = h('progress', { 'aria-label': 'Steps done' });
  readonly #pause = h('button', { type: 'button', id: 'pause' }, 'Pause');
  readonly #stop = h('button', { type: 'button', id: 'stop' }, 'Stop');
  readonly #said = h('p', { class: 'hint', id: 'training-said' });
  readonly #numbers = new Map<string, HTMLElement>();
  #rate: number | undefined;

  constructor(actions: { pause(paused: boolean): void; stop(): void }) {
    this.#pause.addEventListener('click', () => actions.pause(this.#pause.textContent === 'Pause'));
    this.#stop.addEventListener('click', () => actions.stop());
    const numbers = ['Step', 'Loss', 'Gradient norm', 'Images/s', 'GPU memory', 'Checkpoint'].map((name) => {
      const value = h('dd', {}, '–');
      this.#numbers.set(name, value);
      return h('div', {}, h('dt', {}, name), value);
    });
    this.element = h(
      'div',
      { class: 'progress' },
      h('div', { class: 'line' }, this.#status, this.#left, h('div', { class: 'buttons' }, this.#pause, this.#stop)),
      this.#bar,
      h('dl', { class: 'numbers' }, ...numbers),
      this.#said,
    );
  }

  /** Another training is being made ready. */
  begin(): void {
    this.#rate = undefined;
    this.#bar.removeAttribute('value');
    for (const value of this.#numbers.values()) value.textContent = '–';
    for (const button of [this.#pause, this.#stop]) button.hidden = true;
    this.#left.textContent = this.#said.textContent = '';
    this.#say('Making data and model ready');
  }

  show({ state, step, steps, measured, bytes, compiled, saved }: TrainingUpdate): void {
    const last = measured.at(-1);
    this.#bar.max = steps;
    this.#bar.value = step;
    this.#pause.textContent = state === 'paused' ? 'Go on' : 'Pause';
    for (const button of [this.#pause, this.#stop]) button.hidden = state === 'ended';
    this.#set('Step', `${grouped(step)} of ${grouped(steps)}`);
    this.#set('GPU memory', `${(bytes / 1e6).toFixed(0)} MB`);
    if (saved !== undefined) this.#set('Checkpoint', `step ${grouped(saved)}`);
    if (last) {
      this.#rate = last.imagesPerSecond;
      this.#set('Loss', shortNumber(Number(last.loss.toPrecision(4))));
      this.#set('Gradient norm', shortNumber(Number(last.gradNorm.toPrecision(3))));
      this.#set('Images/s', shortNumber(Number(last.imagesPerSecond.toPrecision(3))));
    }
    this.#left.textContent = '';
    this.#say(
      {
        compiling: compiled ? `Compiling kernels: ${compiled[0]} of ${compiled[1]}` : 'Compiling kernels',
        training: 'Training',
        paused: 'Paused; the state is held on the GPU',
        ended:
          step >= steps
            ? `Trained ${grouped(steps)} ${steps === 1 ? 'step' : 'steps'}`
            : `Stopped at step ${step}; its state is kept`,
      }[state],
    );
  }

  /** The time that is left, from the images a second. */
  left(images: number): void {
    if (!this.#rate) return;
    const seconds = images / this.#rate;
    const time = seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`;
    this.#left.textContent = `about ${time} left`;
  }

  /** It cannot begin, or go on. */
  fail(why: string): void {
    for (const button of [this.#pause, this.#stop]) button.hidden = true;
    this.#bar.value = 0;
    this.#left.textContent = '';
    this.#say(why);
  }

  say(text: string): void {
    this.#said.textContent = text;
  }

  /** Aloud, and so only where it is something new. */
  #say(text: string): void {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  #set(name: string, text: string): void {
    const element = this.#numbers.get(name);
    if (element && element.textContent !== text) element.textContent = text;
  }
}

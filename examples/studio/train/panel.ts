import { grouped } from '../../../src/report/numbers.ts';
import { trainCommand } from '../command.ts';
import { OWN } from '../engine/own.ts';
import { copyButton, h } from '../page/dom.ts';
import type { Store } from '../page/store.ts';
import type { Settings } from '../settings.ts';
import { isToy, TOYS } from '../toy/data.ts';
import { batchOf, costOf, PARAMETERS, RECIPES, recipeOf, stepsOf } from './recipes.ts';

/** What a person can begin from this panel. */
export interface TrainingActions {
  train(): void;
  tune(): void;
  load(file: File): void;
  save(): void;
}

const TOY_LABELS: { readonly [name: string]: string } = {
  moons: 'Points: two moons',
  spirals: 'Points: two spirals',
  rings: 'Points: two rings',
  checkers: 'Points: checkers',
};
const DATA: readonly (readonly [value: string, label: string])[] = [
  ['digits', 'Handwritten digits'],
  ['shapes', 'Drawn shapes'],
  ...TOYS.map((name) => [name, TOY_LABELS[name] as string] as const),
  [OWN, 'Your own pictures'],
];

/** Data, recipe and sizes of a training to come, what to expect of it, and the buttons that begin something. */
export class TrainingPanel {
  /** Pictures that were dropped in or chosen. */
  files: File[] = [];
  readonly #store: Store<Settings>;
  readonly #fields: { readonly [name: string]: HTMLInputElement | HTMLSelectElement };
  readonly #expect = h('p', { class: 'expect', id: 'expect', role: 'status' });
  readonly #drop = h('div', { class: 'drop' });
  readonly #preset = h('div', { class: 'field' });
  readonly #buttons: readonly HTMLButtonElement[];
  readonly #copy: HTMLButtonElement;
  /** Seconds that a training takes here, as far as is known. */
  #seconds: (cost: number) => number | undefined = () => undefined;

  constructor(root: HTMLElement, store: Store<Settings>, actions: TrainingActions) {
    this.#store = store;
    const choice = (key: 'data' | 'preset' | 'model', options: readonly (readonly [string, string])[]) => {
      const select = h('select', { id: key }, ...options.map(([value, label]) => h('option', { value }, label)));
      select.addEventListener('change', () => store.set({ [key]: select.value }));
      return select;
    };
    const number = (key: 'trainSteps' | 'batch' | 'rate' | 'trainSeed' | 'keepEvery', step: string) => {
      const input = h('input', { type: 'number', id: key, min: 0, step });
      input.addEventListener('change', () => {
        const value = input.valueAsNumber;
        store.set({ [key]: Number.isFinite(value) && value >= 0 ? value : 0 });
      });
      return input;
    };
    const presets = Object.entries(RECIPES).filter(([name]) => name !== 'plane');
    this.#fields = {
      data: choice('data', DATA),
      preset: choice(
        'preset',
        presets.map(([name, { label }]) => [name, label]),
      ),
      model: choice('model', [
        ['', 'the preset’s'],
        ...['tiny', 'small', 'mnist'].map((name) => [name, `${name}, ${(PARAMETERS[name] as number) / 1e6}M`] as const),
      ]),
      trainSteps: number('trainSteps', '1'),
      batch: number('batch', '1'),
      rate: number('rate', 'any'),
      trainSeed: number('trainSeed', '1'),
      keepEvery: number('keepEvery', '1'),
    };
    const field = (key: string, label: string) =>
      h('div', { class: 'field' }, h('label', { for: key }, label), this.#fields[key]);
    this.#preset.append(h('label', { for: 'preset' }, 'Preset'), this.#fields.preset as Node);
    const train = h('button', { type: 'button', class: 'main', id: 'train', onclick: () => actions.train() }, 'Train');
    const tune = h('button', { type: 'button', id: 'tune', onclick: () => actions.tune() }, 'Tune to few steps');
    this.#copy = copyButton('Copy as command', () => trainCommand(store.value, 'runs/mine'));
    this.#buttons = [train, tune];
    this.#fillDrop();
    root.append(
      field('data', 'Data'),
      this.#drop,
      this.#preset,
      this.#expect,
      h('div', { class: 'buttons' }, train, this.#copy),
      h(
        'details',
        {},
        h('summary', {}, 'Model, steps and rate'),
        h(
          'div',
          { class: 'blocks' },
          field('model', 'Model'),
          h(
            'div',
            { class: 'fields' },
            field('trainSteps', 'Steps'),
            field('batch', 'Batch'),
            field('rate', 'Learning rate'),
            field('trainSeed', 'Seed'),
            field('keepEvery', 'Checkpoint every'),
          ),
          h('p', { class: 'hint' }, 'Empty: as the preset has it.'),
        ),
      ),
      h('h3', {}, 'The model that is shown'),
      h('p', { class: 'hint' }, 'A multi-step model becomes one that needs 1 to 4 steps.'),
      h('div', { class: 'buttons' }, tune),
      this.#files(actions),
    );
    store.watch((settings) => this.#show(settings));
  }

  /** What is known of this device's speed: seconds for so many multiply-adds. */
  speed(seconds: (cost: number) => number | undefined): void {
    this.#seconds = seconds;
    this.#show(this.#store.value);
  }

  /** Something trains: another training has to wait. */
  busy(is: boolean): void {
    for (const button of this.#buttons) button.disabled = is;
  }

  #files(actions: TrainingActions): HTMLElement {
    const file = h('input', { type: 'file', id: 'weights', class: 'sr', accept: '.safetensors,.pt,.pth,.ckpt,.bin' });
    file.addEventListener('change', () => {
      const [given] = file.files ?? [];
      if (given) actions.load(given);
      file.value = '';
    });
    return h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', onclick: () => actions.save() }, 'Download'),
      h(
        'label',
        { class: 'button', for: 'weights', title: 'Weights of this project or of the reference: .safetensors, .pt' },
        'Open file',
      ),
      file,
    );
  }

  #fillDrop(): void {
    const status = h(
      'p',
      { role: 'status' },
      'Drop images here, or a folder with a folder a class. They stay in this browser.',
    );
    const chosen = (files: Iterable<File>) => {
      this.files = Array.from(files, (file) => withPath(file, file.webkitRelativePath || file.name));
      status.textContent = `${this.files.length} files chosen.`;
    };
    const input = h('input', { type: 'file', id: 'own', class: 'sr', multiple: true, accept: 'image/*,.gz' });
    input.addEventListener('change', () => chosen(input.files ?? []));
    this.#drop.append(status, h('label', { class: 'button', for: 'own' }, 'Choose images'), input);
    this.#drop.addEventListener('dragover', (event) => {
      event.preventDefault();
      this.#drop.classList.add('over');
    });
    this.#drop.addEventListener('dragleave', () => this.#drop.classList.remove('over'));
    this.#drop.addEventListener('drop', async (event) => {
      event.preventDefault();
      this.#drop.classList.remove('over');
      chosen(await droppedFiles((event as DragEvent).dataTransfer));
    });
  }

  #show(settings: Settings): void {
    for (const [key, field] of Object.entries(this.#fields)) {
      const value = settings[key as keyof Settings];
      field.value = value === 0 && key !== 'trainSeed' ? '' : String(value);
    }
    const { trainSteps, batch } = this.#fields as { [name: string]: HTMLInputElement };
    if (trainSteps) trainSteps.placeholder = String(stepsOf(settings));
    if (batch) batch.placeholder = String(batchOf({ ...settings, batch: 0 }));
    this.#preset.hidden = isToy(settings.data);
    this.#drop.hidden = settings.data !== OWN;
    this.#copy.hidden = settings.data === OWN || isToy(settings.data);
    this.#expect.textContent = [recipeOf(settings).expect, this.#time(settings)].filter(Boolean).join(' ');
  }

  #time(settings: Settings): string {
    const seconds = this.#seconds(3 * costOf(settings) * batchOf(settings) * stepsOf(settings));
    if (seconds === undefined) return '';
    const time = seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;
    return `On this device ${grouped(stepsOf(settings))} steps take about ${time}.`;
  }
}

/** The files of what was dropped, those in folders with their path. */
async function droppedFiles(dropped: DataTransfer | null): Promise<File[]> {
  const entries = [...(dropped?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    return [withPath(file, entry.fullPath)];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const all: File[] = [];
  for (;;) {
    // A reader gives some at a time, and none at its end.
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return all;
    all.push(...(await Promise.all(some.map(filesIn))).flat());
  }
}

/** A file that says in which folder it lay, also after it went to the worker, which sees its name alone. */
function withPath(file: File, path: string): File {
  return new File([file], path.replace(/^\//, ''), { type: file.type });
}

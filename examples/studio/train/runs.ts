import { grouped, shortNumber } from '../../../src/report/numbers.ts';
import type { KeptRun } from '../engine/runs.ts';
import { h } from '../page/dom.ts';

/** What can be done with a run that is kept. */
export interface RunActions {
  open(name: string): void;
  resume(name: string): void;
  download(name: string): void;
  /** Goes on from a checkpoint file, by the settings of the training panel. */
  upload(checkpoint: File): void;
  remove(name: string): void;
}

/** What a run is told by, and what may differ between two. */
const COLUMNS: readonly (readonly [name: string, value: (run: KeptRun) => string, compared: boolean])[] = [
  ['Data', ({ config }) => config.data.name, true],
  ['Model', ({ config }) => config.model.name, true],
  [
    'Kind',
    ({ config: { transport } }) =>
      transport.consistc_ratio > 0 || (transport.method ?? 'UCGM') !== 'UCGM' ? 'few-step' : 'multi-step',
    true,
  ],
  [
    'Step',
    ({ step, config }) => `${step === undefined ? '–' : grouped(step)} of ${grouped(config.train.steps)}`,
    false,
  ],
  ['Loss', ({ loss }) => (loss === undefined ? '–' : shortNumber(Number(loss.toPrecision(4)))), false],
  ['Batch', ({ config }) => String(config.data.batch_size), true],
  ['Rate', ({ config }) => String(config.optimizer.lr), true],
  ['Optimiser', ({ config }) => config.optimizer.type, true],
  ['ζ', ({ config }) => String(config.transport.enhanced_ratio), true],
  ['Seed', ({ config }) => String(config.train.seed), true],
];

/** The runs of this browser as a table, in which what differs from the run that is shown is marked. */
export class RunsTable {
  readonly #root: HTMLElement;
  readonly #body = h('div', {});
  readonly #actions: RunActions;
  #runs: readonly KeptRun[] = [];
  #shown: string | undefined;

  constructor(root: HTMLElement, actions: RunActions) {
    this.#root = root;
    this.#actions = actions;
    const file = h('input', { type: 'file', id: 'checkpoint', class: 'sr', accept: '.safetensors' });
    file.addEventListener('change', () => {
      const [given] = file.files ?? [];
      if (given) actions.upload(given);
      file.value = '';
    });
    const hint = h('p', { class: 'hint' }, 'Of this page or of Node; the training panel says the data and the model.');
    const upload = h('label', { class: 'button', for: 'checkpoint' }, 'Go on from a checkpoint file');
    this.#root.append(this.#body, h('div', { class: 'upload' }, upload, file, hint));
  }

  show(runs: readonly KeptRun[], shown: string | undefined): void {
    [this.#runs, this.#shown] = [runs, shown];
    if (runs.length === 0) {
      this.#body.replaceChildren(
        h('p', { class: 'empty' }, 'None yet. A run is kept here with its checkpoints, and survives a reload.'),
      );
      return;
    }
    const head = ['Run', ...COLUMNS.map(([name]) => name)].map((name) => h('th', { scope: 'col' }, name));
    const table = h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...head, h('th', { scope: 'col' }, h('span', { class: 'sr' }, 'Actions')))),
      h('tbody', {}, ...runs.map((run) => this.#row(run))),
    );
    const wide = h('div', { class: 'wide', tabindex: 0, role: 'region', 'aria-label': 'Runs' }, table);
    const marked =
      runs.length > 1
        ? h('p', { class: 'hint' }, 'Coloured: what differs from the run that is shown, or else from the first.')
        : '';
    this.#body.replaceChildren(wide, marked);
  }

  #row(run: KeptRun): HTMLElement {
    const { name, step, config } = run;
    const base = this.#runs.find((each) => each.name === this.#shown) ?? this.#runs[0];
    const cells = COLUMNS.map(([, value, compared]) => {
      const differs = compared && base !== undefined && value(run) !== value(base);
      return h('td', { ...(differs && { class: 'differs' }) }, value(run));
    });
    const act = (label: string, work: (name: string) => void) =>
      h(
        'button',
        { type: 'button', class: 'quiet', 'aria-label': `${label} ${name}`, onclick: () => work(name) },
        label,
      );
    const { open, resume, download, remove } = this.#actions;
    const unfinished = (step ?? 0) < config.train.steps; // cut off before its first checkpoint, it begins anew
    return h(
      'tr',
      { ...(name === this.#shown && { 'aria-current': 'true' }) },
      h('th', { scope: 'row' }, name),
      ...cells,
      h(
        'td',
        { class: 'actions' },
        step !== undefined && act('Show', open),
        unfinished && act('Go on', resume),
        step !== undefined && act('Download', download),
        act('Remove', remove),
      ),
    );
  }
}

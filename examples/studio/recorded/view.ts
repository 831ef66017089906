import { grouped } from '../../../src/report/numbers.ts';
import { column } from '../../../src/report/series.ts';
import { Chart } from '../page/chart.ts';
import { byId, h } from '../page/dom.ts';
import { showNotice } from '../page/notice.ts';
import { slider } from '../page/slider.ts';
import run from './run.json' with { type: 'json' };

const PICTURES = import.meta.glob<string>('./*.png', { eager: true, query: '?url', import: 'default' });

/** Without a GPU: why, what to do, and a run that was recorded in its place. */
export function showRecorded(error: unknown): void {
  showNotice(error, h('p', {}, 'Below is a training that was recorded, so that there is something to see.'));
  byId('main').className = 'page';
  const image = h('img', { id: 'recorded', width: 298, height: 238 });
  const show = (i: number) => {
    const step = run.pictures[i] as number;
    image.src = PICTURES[`./${step}.png`] as string;
    image.alt = `Samples after ${step} training steps: a digit a column`;
    caption.textContent = `After ${grouped(step)} of 1,200 steps`;
  };
  const caption = h('figcaption', { role: 'status' });
  const steps = slider(
    {
      label: 'Training step',
      hint: 'Move it to see how the digits form',
      min: 0,
      max: run.pictures.length - 1,
      step: 1,
      format: (i) => String(run.pictures[i]),
    },
    show,
  );
  const loss = new Chart({ title: 'Loss', x: 'step', log: true, width: 520 });
  loss.show([{ name: 'loss', points: column(run.lines, 'loss'), colour: 1 }]);
  const norm = new Chart({ title: 'Gradient norm', x: 'step', log: true, width: 520 });
  norm.show([{ name: 'gradient norm', points: column(run.lines, 'gradNorm'), colour: 4 }]);
  const last = run.pictures.length - 1;
  steps.show(last);
  show(last);
  byId('main').replaceChildren(
    h(
      'section',
      { 'aria-labelledby': 'recorded-title', class: 'blocks' },
      h('h2', { id: 'recorded-title' }, 'A recorded run: digits from noise'),
      h('p', { class: 'facts' }, `${run.command}; ${run.adapter}, ${run.date}`),
      h(
        'div',
        { class: 'pair' },
        h('figure', {}, h('div', { class: 'plate negative' }, image), caption, steps.element),
        h('div', { class: 'blocks' }, loss.element, norm.element),
      ),
    ),
  );
}

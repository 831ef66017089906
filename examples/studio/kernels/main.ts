import { wrap } from 'comlink';
import { parseResults, type Results } from '../../../bench/results.ts';
import { grouped } from '../../../src/report/numbers.ts';
import { byId, h } from '../page/dom.ts';
import { showNotice } from '../page/notice.ts';
import { benchPanel } from './bench_panel.ts';
import { doctorPanel } from './doctor_panel.ts';
import type { Lab, LabFacts } from './lab.ts';
import { sharedResults } from './share.ts';
import { comparison } from './table.ts';

const lab = wrap<Lab>(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }));
const buttons = () => [byId<HTMLButtonElement>('examine'), byId<HTMLButtonElement>('measure')];
const busy = (is: boolean) => {
  for (const button of buttons()) button.disabled = is;
};

const pair: { own?: Results; other?: Results } = {};
doctorPanel(byId('doctor'), lab, busy);
const bench = benchPanel(byId('bench'), lab, busy, (results) => {
  pair.own = results;
  compare();
});
comparePanel();
busy(true);

function comparePanel(): void {
  const file = h('input', { type: 'file', id: 'other', accept: '.jsonl,.json,.txt' });
  const link = h('input', { type: 'text', id: 'other-link', placeholder: 'https://…#r=…' });
  const status = h('p', { role: 'status', class: 'warn' });
  const take = async (read: () => Promise<Results | undefined>) => {
    try {
      const results = await read();
      status.textContent = results ? '' : 'this link carries no results';
      if (!results) return;
      pair.other = results;
      compare();
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  file.addEventListener('change', () => {
    const [given] = file.files ?? [];
    if (given) void take(async () => parseResults(await given.text(), given.name));
  });
  link.addEventListener('change', () => void take(() => sharedResults(link.value)));
  byId('compare').append(
    h(
      'div',
      { class: 'blocks' },
      h(
        'p',
        { class: 'facts' },
        'The results above are A. B is a file of this page or of ucgm bench --json, or a link that somebody shared.',
      ),
      h(
        'div',
        { class: 'bench-form' },
        h('div', { class: 'field' }, h('label', { for: 'other' }, 'A file'), file),
        h('div', { class: 'field' }, h('label', { for: 'other-link' }, 'Or a link'), link),
      ),
      status,
      h('div', { id: 'compared' }),
    ),
  );
}

function compare(): void {
  const { own, other } = pair;
  if (own && other) byId('compared').replaceChildren(comparison(own, other));
}

function describeGpu({ environment, limits }: LabFacts): void {
  const { adapter, vendor, architecture, features = [], software } = environment;
  byId('device').textContent = software ? `${adapter}, a software adapter` : adapter;
  const facts: [string, string][] = [
    ['Adapter', adapter],
    ['Vendor', [vendor, architecture].filter(Boolean).join(', ') || '–'],
    ['Kind', software ? 'software: correct and slow; its times say nothing about a GPU' : 'GPU'],
    ['Features', features.join(', ') || 'none'],
  ];
  byId('gpu').append(
    h(
      'dl',
      { class: 'numbers wide-facts' },
      ...facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
    ),
    h(
      'details',
      {},
      h('summary', {}, 'Limits'),
      h(
        'dl',
        { class: 'limits' },
        ...limits.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, grouped(value)))),
      ),
    ),
  );
}

async function start(): Promise<void> {
  const shared = await sharedResults(location.href);
  if (shared) bench.show(shared);
  describeGpu(await lab.open());
  busy(false);
}

start().catch((error) => showNotice(error));

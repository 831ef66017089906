import { proxy, type Remote } from 'comlink';
import type { Finding } from '../../../bench/doctor.ts';
import { h } from '../page/dom.ts';
import type { Lab } from './lab.ts';

/** The doctor: a button, how far it is, and a row a case. */
export function doctorPanel(root: HTMLElement, lab: Remote<Lab>, busy: (is: boolean) => void): void {
  const start = h('button', { type: 'button', class: 'main', id: 'examine' }, 'Check');
  const filter = h('input', { type: 'text', id: 'doctor-filter', placeholder: 'all, or ^attention' });
  const stop = h('button', { type: 'button', hidden: true }, 'Stop');
  const bar = h('progress', { 'aria-label': 'Cases checked', hidden: true });
  const summary = h('p', { role: 'status', id: 'examined' });
  const body = h('tbody', {});
  const table = h(
    'div',
    { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Findings', hidden: true },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...['case', 'result', 'variant'].map((name) => h('th', { scope: 'col' }, name)))),
      body,
    ),
  );
  root.append(
    h(
      'div',
      { class: 'blocks' },
      h(
        'p',
        { class: 'facts' },
        'Runs every kernel in every variant that can be chosen on this device against a double-precision oracle, forward and backward.',
      ),
      h(
        'div',
        { class: 'bench-form' },
        h('div', { class: 'field' }, h('label', { for: 'doctor-filter' }, 'Only kernels that match'), filter),
        h('div', { class: 'buttons' }, start, stop),
      ),
      bar,
      summary,
      table,
    ),
  );
  stop.addEventListener('click', () => void lab.stop());
  start.addEventListener('click', async () => {
    const count = { ran: 0, wrong: 0 };
    body.replaceChildren();
    for (const each of [bar, table, stop]) each.hidden = false;
    busy(true);
    const found = (finding: Finding) => {
      count.ran++;
      if (finding.wrong !== undefined) count.wrong++;
      bar.value = count.ran;
      body.prepend(findingRow(finding));
      summary.textContent = said(count);
    };
    try {
      await lab.examine(
        filter.value,
        proxy((cases) => (bar.max = cases)),
        proxy(found),
      );
      summary.textContent = `${said(count)}${count.wrong === 0 ? ': all agree with their oracles' : ''}`;
    } catch (error) {
      summary.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      for (const each of [bar, stop]) each.hidden = true;
      busy(false);
    }
  });
}

const said = ({ ran, wrong }: { ran: number; wrong: number }) => `${ran} cases checked, ${wrong} wrong`;

function findingRow({ case: name, variant, error, wrong }: Finding): HTMLElement {
  const result =
    wrong === undefined ? h('td', { class: 'ok' }, `ok, ${error?.toExponential(1)}`) : h('td', { class: 'bad' }, wrong);
  return h('tr', {}, h('th', { scope: 'row' }, name), result, h('td', {}, variant.replace(/\[\]$/, '')));
}

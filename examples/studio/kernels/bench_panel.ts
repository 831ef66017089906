import { proxy, type Remote } from 'comlink';
import type { Line, Results } from '../../../bench/results.ts';
import { download, h } from '../page/dom.ts';
import { type Lab, PAGE_SUITES, type PageSuite } from './lab.ts';
import { resultsText, shareLink } from './share.ts';
import { caseRow, casesTable, describe } from './table.ts';

const SAID: { readonly [suite in PageSuite]: string } = {
  smoke: 'smoke: the smallest case of each kernel, seconds',
  kernels: 'kernels: all cases, minutes',
  ceilings: 'ceilings: how fast this GPU copies and multiplies at all',
  model: 'model: whole training steps, minutes',
};

/** The bench: which suite, its rows as they come, and what to do with them. `changed` hears of results that there are now. */
export function benchPanel(
  root: HTMLElement,
  lab: Remote<Lab>,
  busy: (is: boolean) => void,
  changed: (results: Results) => void,
): { show(results: Results): void } {
  const suite = h('select', { id: 'suite' }, ...PAGE_SUITES.map((name) => h('option', { value: name }, SAID[name])));
  const filter = h('input', { type: 'text', id: 'filter', placeholder: '^matmul' });
  const start = h('button', { type: 'button', class: 'main', id: 'measure' }, 'Run');
  const stop = h('button', { type: 'button', hidden: true }, 'Stop');
  const bar = h('progress', { 'aria-label': 'Cases measured', hidden: true });
  const status = h('p', { role: 'status', id: 'measured' });
  const from = h('p', { class: 'facts' });
  const save = h('button', { type: 'button', disabled: true }, 'Download JSON');
  const share = h('button', { type: 'button', disabled: true, id: 'share' }, 'Copy a link to these results');
  const { element: table, body } = casesTable();
  table.hidden = true;
  let results: Results | undefined;

  const show = (shown: Results) => {
    results = shown;
    from.textContent = describe(shown.environment);
    table.hidden = false;
    body.replaceChildren(...[...shown.cases.values()].map(caseRow));
    for (const button of [save, share]) button.disabled = false;
    changed(shown);
  };

  root.append(
    h(
      'div',
      { class: 'blocks' },
      h(
        'div',
        { class: 'bench-form' },
        h('div', { class: 'field' }, h('label', { for: 'suite' }, 'Suite'), suite),
        h('div', { class: 'field' }, h('label', { for: 'filter' }, 'Only cases that match'), filter),
        h('div', { class: 'buttons' }, start, stop),
      ),
      bar,
      status,
      from,
      table,
      h('div', { class: 'buttons' }, save, share),
    ),
  );
  stop.addEventListener('click', () => void lab.stop());
  save.addEventListener('click', () => {
    if (results) download(`${suite.value}.jsonl`, resultsText(results), 'application/jsonl');
  });
  share.addEventListener('click', async () => {
    if (!results) return;
    const link = await shareLink(location.href.replace(/#.*/, ''), results);
    history.replaceState(null, '', link);
    await navigator.clipboard.writeText(link).then(
      () => (status.textContent = 'The link is copied; the address bar has it too.'),
      () => (status.textContent = 'The link is in the address bar.'),
    );
  });
  start.addEventListener('click', async () => {
    const name = suite.value as PageSuite;
    const cases = new Map<string, Line>();
    const environments: Results['environment'][] = [];
    body.replaceChildren();
    status.textContent = 'Measuring what this GPU can do at all';
    for (const each of [bar, stop, table]) each.hidden = false;
    bar.removeAttribute('value');
    busy(true);
    try {
      await lab.measure(
        name,
        filter.value,
        proxy((line) => (status.textContent = line)),
        proxy((about) => {
          environments.push(about.environment);
          bar.max = about.cases;
        }),
        proxy(({ case: kase, result, error }) => {
          const line: Line = { suite: name, ...(result ?? { case: kase, error }) };
          cases.set(kase, line);
          bar.value = cases.size;
          body.append(caseRow(line));
        }),
      );
      const failed = [...cases.values()].filter((line) => line.error !== undefined).length;
      status.textContent = `${cases.size - failed} passed, ${failed} failed`;
      if (cases.size > 0) show({ environment: environments[0], cases });
    } catch (error) {
      status.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      for (const each of [bar, stop]) each.hidden = true;
      busy(false);
    }
  });
  return { show };
}

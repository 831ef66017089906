import { type Pair, pairsOf } from '../../../bench/compare.ts';
import type { Environment } from '../../../bench/environment.ts';
import { isTimed, type Line, type Results } from '../../../bench/results.ts';
import { h } from '../page/dom.ts';

const number = (value: unknown, digits: number) => (typeof value === 'number' ? value.toFixed(digits) : '');

/** A cell of numbers. */
const cell = (text: string, more: string | false = false) =>
  h('td', { class: more ? `number ${more}` : 'number' }, text);

/** Where results come from, in a line. */
export function describe(environment: Environment | undefined): string {
  if (!environment) return 'results without an environment';
  const { adapter, runtime, os, version, commit, date } = environment;
  return `${adapter}, ${runtime} on ${os}, ucgm-webgpu ${version} (${commit}), ${date.slice(0, 16).replace('T', ' ')} UTC`;
}

/** The row of a case that was measured, or failed. */
export function caseRow(line: Line): HTMLElement {
  if (!isTimed(line))
    return h(
      'tr',
      {},
      h('th', { scope: 'row' }, line.case),
      h('td', { class: 'bad', colspan: 5 }, `WRONG: ${line.error}`),
    );
  const share = line.ofRoofline as number | undefined;
  return h(
    'tr',
    { title: `${line.kernel ?? ''}[${line.variant ?? ''}]` },
    h('th', { scope: 'row' }, line.case),
    cell(number(line.ms, 4)),
    cell(number(line.tflops, 3)),
    cell(number(line.gbps, 1)),
    cell(share === undefined ? '' : `${(100 * share).toFixed(0)}%`),
    cell(typeof line.maxRelErr === 'number' ? line.maxRelErr.toExponential(1) : ''),
  );
}

/** A table of cases that grows. */
export function casesTable(): { readonly element: HTMLElement; readonly body: HTMLElement } {
  const body = h('tbody', {});
  const head = ['ms', 'TFLOP/s', 'GB/s', 'of ceiling', 'error'].map((name) =>
    h('th', { scope: 'col', class: 'number' }, name),
  );
  const table = h('table', {}, h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'case'), ...head)), body);
  return { element: h('div', { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Cases' }, table), body };
}

/** Two results side by side: the cases that both have, the most changed first. */
export function comparison(one: Results, other: Results): HTMLElement {
  const pairs = pairsOf(one, other);
  const mean = Math.exp(pairs.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / Math.max(1, pairs.length));
  const head = ['A, ms', 'B, ms', 'B / A'].map((name) => h('th', { scope: 'col', class: 'number' }, name));
  return h(
    'div',
    { class: 'blocks' },
    h('p', {}, `A: ${describe(one.environment)}`),
    h('p', {}, `B: ${describe(other.environment)}`),
    pairs.length === 0
      ? h('p', { class: 'warn' }, 'They have no case in common: compare runs of one suite.')
      : h('p', {}, `${pairs.length} cases in common; B takes ${mean.toFixed(2)} times as long as A (geometric mean).`),
    h(
      'div',
      { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Comparison' },
      h(
        'table',
        {},
        h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'case'), ...head, h('th', { scope: 'col' }, ''))),
        h('tbody', {}, ...pairs.map(pairRow)),
      ),
    ),
  );
}

function pairRow({ name, was, is, ratio, sure }: Pair): HTMLElement {
  const verdict = sure ? (ratio > 1 ? 'B slower' : 'B faster') : 'within the spread';
  return h(
    'tr',
    {},
    h('th', { scope: 'row' }, name),
    cell(was.toFixed(4)),
    cell(is.toFixed(4)),
    cell(ratio.toFixed(2), sure && 'differs'),
    h('td', { class: 'hint' }, verdict),
  );
}

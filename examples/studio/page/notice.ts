import { byId, h } from './dom.ts';

/** Says at the top of the page what went wrong and what to do: the error's own words. */
export function showNotice(error: unknown, ...more: HTMLElement[]): void {
  const notice = byId('notice');
  const text = error instanceof Error ? error.message : String(error);
  const [what = text, fix] = text.split(/\.? Fix: /);
  notice.replaceChildren(
    h(
      'div',
      { class: 'notice box', role: 'alert' },
      h('h2', {}, sentence(what)),
      fix !== undefined && h('p', {}, sentence(fix)),
      ...more,
    ),
  );
  notice.hidden = false;
  byId('device').textContent = 'No GPU';
}

const sentence = (text: string) => `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;

import type { Store } from './store.ts';

/** What a link carries: texts and numbers by name. */
type Linked<T> = { readonly [K in keyof T]: string | number };

/** Reads those of a link that are there and fit: a number where the default is one. */
export function readLink<T extends Linked<T>>(defaults: T, search: string): Partial<T> {
  const given = new URLSearchParams(search);
  const out: { [name: string]: string | number } = {};
  for (const [name, value] of Object.entries<string | number>(defaults)) {
    const text = given.get(name);
    if (text === null) continue;
    if (typeof value === 'string') out[name] = text;
    else if (text.trim() !== '' && Number.isFinite(Number(text))) out[name] = Number(text);
  }
  return out as Partial<T>;
}

/** The part of a link that says what differs from the defaults. */
export function linkOf<T extends Linked<T>>(value: T, defaults: T): string {
  const differs = Object.entries<string | number>(value).filter(([name, own]) => own !== defaults[name as keyof T]);
  const text = new URLSearchParams(differs.map(([name, own]) => [name, String(own)])).toString();
  return text === '' ? '' : `?${text}`;
}

/** Keeps the page's address at what a store holds, so that a link or a reload brings it back. */
export function keepInLink<T extends Linked<T>>(store: Store<T>, defaults: () => T): void {
  let waiting = 0;
  store.onChange(() => {
    clearTimeout(waiting);
    // Browsers refuse an address that changes with every move of a slider.
    waiting = window.setTimeout(() => {
      history.replaceState(null, '', `${location.pathname}${linkOf(store.value, defaults())}${location.hash}`);
    }, 250);
  });
}

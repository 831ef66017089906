/** A value that parts of the page look at and change; whoever listens is told of a change, not of the same value again. */
export class Store<T extends object> {
  #value: T;
  readonly #listeners = new Set<(value: T, before: T) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set(change: Partial<T>): void {
    const before = this.#value;
    const keys = Object.keys(change) as (keyof T)[];
    if (keys.every((key) => Object.is(before[key], change[key]))) return;
    this.#value = { ...before, ...change };
    for (const listener of this.#listeners) listener(this.#value, before);
  }

  /** Tells of every change from now on, and of the value as it is. */
  watch(listener: (value: T, before: T) => void): void {
    this.#listeners.add(listener);
    listener(this.#value, this.#value);
  }

  /** Tells of every change from now on. */
  onChange(listener: (value: T, before: T) => void): void {
    this.#listeners.add(listener);
  }
}

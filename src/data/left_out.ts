/** What loading left out, counted by kind. */
export class LeftOut {
  readonly #kinds = new Map<string, { count: number; first: string }>();

  add(kind: string, path: string): void {
    const known = this.#kinds.get(kind);
    if (known) known.count++;
    else this.#kinds.set(kind, { count: 1, first: path });
  }

  /** "left out: 3 GIF files (first a/x.gif), ..."; undefined where nothing was. */
  get line(): string | undefined {
    if (this.#kinds.size === 0) return undefined;
    const parts = [...this.#kinds].map(([kind, { count, first }]) => {
      return `${count} ${count === 1 ? kind.replace(/s( |$)/, '$1') : kind} (${count > 1 ? 'first ' : ''}${first})`;
    });
    return `left out: ${parts.join(', ')}`.replace(/[\r\n]+/g, ' ');
  }
}

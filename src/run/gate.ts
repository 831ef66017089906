/** Lets through, or holds back until it is opened again: how a training is paused between two steps. */
export class Gate {
  #opened: Promise<void> | undefined;
  #open = () => {};

  /** Whether it holds back. */
  get closed(): boolean {
    return this.#opened !== undefined;
  }

  close(): void {
    this.#opened ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
    this.#opened = undefined;
  }

  /** Resolves once it is open, or the signal is aborted. */
  async through(signal?: AbortSignal): Promise<void> {
    while (this.#opened && !signal?.aborted) {
      let stop = () => {};
      const stopped = new Promise<void>((resolve) => {
        stop = resolve;
        signal?.addEventListener('abort', stop);
      });
      await Promise.race([this.#opened, stopped]);
      signal?.removeEventListener('abort', stop);
    }
  }
}

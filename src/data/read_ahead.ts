import { DataError } from './dataset.ts';

/** Reads what belongs to a step, a function of the step; stops early when the signal says so. */
export type StepReader<T> = (step: number, signal: AbortSignal) => Promise<T>;

/**
 * Reads the next steps while the caller works on one. Steps are read one after the other, so that the next one needed has the
 * disk for itself; at most `ahead` are held, whatever the data's size.
 */
export class ReadAhead<T> {
  readonly #read: StepReader<T>;
  readonly #ahead: number;
  readonly #queue = new Map<number, Promise<T>>();
  readonly #stop = new AbortController();
  /** The last read, which never rejects. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(read: StepReader<T>, ahead: number) {
    this.#read = read;
    this.#ahead = ahead;
  }

  /** Steps that are read, being read, or waiting to be. */
  get held(): number {
    return this.#queue.size;
  }

  /** What belongs to a step; reads of the steps after it begin. Rejects with what its reading failed with. */
  get(step: number): Promise<T> {
    if (this.#stop.signal.aborted) return Promise.reject(new DataError('the data was closed', 'open it again'));
    for (const held of this.#queue.keys()) if (held < step || held > step + this.#ahead) this.#queue.delete(held);
    for (let s = step; s <= step + this.#ahead; s++) if (!this.#queue.has(s)) this.#queue.set(s, this.#start(s));
    const asked = this.#queue.get(step) as Promise<T>;
    this.#queue.delete(step);
    return asked;
  }

  /** Stops reading; resolves when no read is under way. What was not asked for yet is dropped, its failures too. */
  async close(): Promise<void> {
    this.#stop.abort(new DataError('the data was closed while it was read', 'open it again'));
    this.#queue.clear();
    await this.#last;
  }

  #start(step: number): Promise<T> {
    const { signal } = this.#stop;
    const read = this.#last.then(() => {
      signal.throwIfAborted();
      return this.#read(step, signal);
    });
    this.#last = read.catch(() => {}); // whoever asks for the step gets the failure
    return read;
  }
}

/** Dispatches of a first piece, before any was measured. */
const FIRST = 4;
/** A measurement changes what a dispatch is thought to take by this factor at most: one late answer is no rule. */
const MOST_CHANGE = 8;
/** Pieces on the device at most: while one runs the next waits there, and what draws a page comes after that. */
const MOST_PENDING = 2;

/**
 * Cuts a sequence of commands into pieces that take the device about as long as they may, by how long it took before. What a dispatch
 * takes is learnt from what the pieces took that it was in: those of the next time have other ends.
 */
export class Pieces {
  readonly #queue: Pick<GPUQueue, 'onSubmittedWorkDone'>;
  readonly #now: () => number;
  readonly #most: number;
  readonly #costs = new WeakMap<object, number>();
  #usual: number;
  /** When the device was done with the last piece that is known to be done. */
  #idle = 0;
  readonly #pending: Promise<void>[] = [];
  #sending: Promise<void> = Promise.resolve();

  /** @param most milliseconds of a piece. @param now the time in milliseconds. */
  constructor(queue: Pick<GPUQueue, 'onSubmittedWorkDone'>, most: number, now = () => performance.now()) {
    this.#queue = queue;
    this.#now = now;
    this.#most = most;
    this.#usual = most / FIRST;
  }

  /**
   * Submits commands piece by piece, after all that was sent before. Resolves when the last piece is submitted.
   * @param dispatchOf the dispatch that a command is, the same object whenever it is the same; undefined for one that takes no time.
   */
  async send<T>(
    commands: readonly T[],
    dispatchOf: (command: T) => object | undefined,
    submit: (piece: readonly T[]) => void,
  ): Promise<void> {
    const sent = this.#sending.then(async () => {
      for (const { piece, dispatches } of this.#cut(commands, dispatchOf)) {
        while (this.#pending.length >= MOST_PENDING) await this.#pending.shift();
        submit(piece);
        this.#pending.push(this.#measure(dispatches));
      }
    });
    this.#sending = sent.catch(() => {}); // told to whoever sent it
    await sent;
  }

  *#cut<T>(commands: readonly T[], dispatchOf: (command: T) => object | undefined) {
    let [first, spent, dispatches]: [number, number, object[]] = [0, 0, []];
    for (const [i, command] of commands.entries()) {
      const dispatch = dispatchOf(command);
      if (!dispatch) continue;
      const cost = this.#cost(dispatch);
      if (dispatches.length > 0 && spent + cost > this.#most) {
        yield { piece: commands.slice(first, i), dispatches };
        [first, spent, dispatches] = [i, 0, []];
      }
      dispatches.push(dispatch);
      spent += cost;
    }
    if (first < commands.length) yield { piece: commands.slice(first), dispatches };
  }

  /** What a dispatch is thought to take, in milliseconds; one not seen before as long as others did. */
  #cost(dispatch: object): number {
    return this.#costs.get(dispatch) ?? this.#usual;
  }

  async #measure(dispatches: readonly object[]): Promise<void> {
    const submitted = this.#now();
    try {
      await this.#queue.onSubmittedWorkDone();
    } catch {
      return; // of a lost device, which whoever works on it is told
    }
    const done = this.#now();
    this.#learn(dispatches, done - Math.max(submitted, this.#idle));
    this.#idle = done;
  }

  #learn(dispatches: readonly object[], ms: number): void {
    if (dispatches.length === 0) return;
    const thought = dispatches.reduce((sum: number, dispatch) => sum + this.#cost(dispatch), 0);
    const change = Math.min(MOST_CHANGE, Math.max(1 / MOST_CHANGE, ms / thought));
    for (const dispatch of new Set(dispatches)) {
      const known = this.#costs.get(dispatch);
      this.#costs.set(dispatch, known === undefined ? this.#usual * change : known * Math.sqrt(change));
    }
    this.#usual += (ms / dispatches.length - this.#usual) / 8;
  }
}

import { WorkspaceError } from './errors.ts';

/** Steps that are on the device at most while the next is recorded, unless asked otherwise. */
export const MAX_IN_FLIGHT = 2;

/** Milliseconds of a wait that say that the device is behind the host: to look for its results takes less. */
const BEHIND = 1;

/** Back-pressure: the host records a step only when few enough of those before it are still on the device. */
export class Pace {
  readonly #device: { readonly queue: Pick<GPUQueue, 'onSubmittedWorkDone'> };
  readonly #most: number;
  readonly #now: () => number;
  readonly #flying: Promise<unknown>[] = [];

  /** @param now the time in milliseconds. @throws WorkspaceError unless `most` is a whole number of at least 1. */
  constructor(
    device: { readonly queue: Pick<GPUQueue, 'onSubmittedWorkDone'> },
    most: number,
    now = () => performance.now(),
  ) {
    if (!Number.isInteger(most) || most < 1)
      throw new WorkspaceError(`maxInFlight is ${most}`, 'give a whole number of at least 1');
    this.#device = device;
    this.#most = most;
    this.#now = now;
  }

  /**
   * Waits until a step can be recorded: the one `most` before it has ended. Gives whether the device is behind the host and has steps left
   * to work on: it needs nothing of the new one yet. @throws the signal's reason.
   */
  async room(signal?: AbortSignal): Promise<boolean> {
    signal?.throwIfAborted();
    const start = this.#now();
    while (this.#flying.length >= this.#most) {
      await unlessAborted(this.#flying[0] as Promise<unknown>, signal);
      this.#flying.shift();
    }
    return this.#flying.length > 0 && this.#now() - start >= BEHIND;
  }

  /** A step was submitted. */
  submitted(): void {
    const done = this.#device.queue.onSubmittedWorkDone();
    done.catch(() => {}); // told to whoever waits for it
    this.#flying.push(done);
  }
}

/** The promise, or the reason of a signal that is aborted first. */
async function unlessAborted(promise: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return void (await promise);
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Counts the time in which something runs. */
export class Stopwatch {
  #since = performance.now();
  #before = 0;

  /** Milliseconds since the lap before, without those of `without`. */
  lap(): number {
    const now = performance.now();
    const passed = this.#before + now - this.#since;
    [this.#since, this.#before] = [now, 0];
    return passed;
  }

  /** Does work that is not counted; within it no lap ends. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    this.#before += performance.now() - this.#since;
    try {
      return await work();
    } finally {
      this.#since = performance.now();
    }
  }
}

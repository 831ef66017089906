import type { Turn } from './lane.ts';

/** Lets messages of one kind start in the order in which their turns were taken. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** A turn: called with what is to be started, it waits until those before have been. */
  take(): Turn {
    const before = this.#last;
    let started = () => {};
    this.#last = new Promise((done) => {
      started = done;
    });
    return async (start) => {
      await before;
      const work = start();
      started();
      return work;
    };
  }
}

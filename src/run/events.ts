import type { DeviceLostError } from '../device/index.ts';
import type { StepMetrics } from '../optim/step_metrics.ts';
import type { Sampled } from './samples.ts';
import type { RunConfig } from './settings.ts';
import type { Awaitable } from './store.ts';

/** A step as it was measured. */
export type Measured = StepMetrics & {
  /** Now: of the steps since the measurement before, without pauses, samples and checkpoints. */
  readonly imagesPerSecond: number;
};

/**
 * What happens in a training, for whoever wants to know: progress, alarms, pictures. The training waits for what a subscriber
 * returns. In `saved` and `stepped` a FixableError of a subscriber is a warning, and the training goes on.
 */
export interface RunEvents {
  /** What the subscriber does, for the warning that it failed: `samples`. */
  readonly purpose?: string;
  /** The first step is about to be taken, after `step` steps. */
  started?(step: number, config: RunConfig): Awaitable<void>;
  /** A step was measured; each is told once, in order, some steps late. */
  measured?(step: Measured): Awaitable<void>;
  /** A checkpoint was written on the way, or after the last step. */
  saved?(step: number): Awaitable<void>;
  /** A step was taken, and saved where that was due. */
  stepped?(step: number): Awaitable<void>;
  /** Samples were drawn by the averaged weights after `step` steps. */
  sampled?(step: number, samples: Sampled): Awaitable<void>;
  /** The device is gone; a new one is asked for, and the training goes on from the last checkpoint. */
  lost?(loss: DeviceLostError, step: number): Awaitable<void>;
  /** Of the kernels that are waited for `done` are compiled. */
  compiling?(done: number, of: number): void;
  /** The training is over, or failed. */
  ended?(): Awaitable<void>;
  note?(text: string): void;
  warning?(text: string): void;
}

/** Several subscribers, told one after the other. */
export class Subscribers {
  readonly #all: readonly RunEvents[];

  constructor(all: readonly RunEvents[]) {
    this.#all = all;
  }

  [Symbol.iterator](): Iterator<RunEvents> {
    return this.#all[Symbol.iterator]();
  }

  /** Tells all of something, and waits for them. */
  async tell(event: (subscriber: RunEvents) => Awaitable<void> | undefined): Promise<void> {
    for (const subscriber of this.#all) await event(subscriber);
  }

  readonly note = (text: string): void => {
    for (const subscriber of this.#all) subscriber.note?.(text);
  };

  readonly warn = (text: string): void => {
    for (const subscriber of this.#all) subscriber.warning?.(text);
  };

  readonly compiling = (done: number, of: number): void => {
    for (const subscriber of this.#all) subscriber.compiling?.(done, of);
  };
}

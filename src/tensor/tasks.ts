import { onDevice } from '../device/index.ts';
import { WorkspaceError } from './errors.ts';

/**
 * What works on one workspace, one after the other: a step and a sampling share step tensors and the stream of commands. A task
 * that fails does not hold up the next.
 */
export class Tasks {
  readonly #device: GPUDevice;
  #last: Promise<unknown> = Promise.resolve();
  #within = false;
  #closed = false;

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Runs `work` after all that was asked for before. @throws WorkspaceError, DeviceError, and what `work` throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#within)
      throw new WorkspaceError(
        'the workspace is in a step that calls onGradients, which must end first',
        'start other work after the step, or on a lease of its own: workspace.lease(name)',
      );
    const result = this.#last.then(() => {
      if (this.#closed) throw new WorkspaceError('the workspace was disposed', 'make a new one');
      return onDevice(this.#device, work);
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** Runs a function of the caller within a task. A task that started meanwhile would wait for itself: it is refused. */
  async within(call: () => void | Promise<void>): Promise<void> {
    this.#within = true;
    try {
      await call();
    } finally {
      this.#within = false;
    }
  }

  /** True while a task calls a function of the caller. */
  get calling(): boolean {
    return this.#within;
  }

  /** Nothing runs any more. */
  close(): void {
    this.#closed = true;
  }
}

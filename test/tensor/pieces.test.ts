import { describe, expect, it } from 'vitest';
import { Workspace, WorkspaceError } from '../../src/tensor/index.ts';
import { Pieces } from '../../src/tensor/pieces.ts';
import { testDevice } from '../gpu.ts';

/** A command: a dispatch that takes a device so long, or one that is none. */
interface Command {
  readonly ms: number;
  readonly dispatch: boolean;
}

/** A device that works off what it is given one after the other, in a time of its own. */
class SlowDevice {
  time = 0;
  /** Milliseconds of each submit. */
  readonly taken: number[] = [];
  readonly order: Command[] = [];
  #last: Promise<void> = Promise.resolve();
  pending = 0;
  mostPending = 0;

  submit(piece: readonly Command[]): void {
    const ms = piece.reduce((sum, command) => sum + command.ms, 0);
    this.taken.push(ms);
    this.order.push(...piece);
    this.mostPending = Math.max(this.mostPending, ++this.pending);
    this.#last = this.#last.then(async () => {
      await new Promise((resolve) => setTimeout(resolve)); // whoever waits for the piece before is told first
      this.time += ms;
      this.pending--;
    });
  }

  onSubmittedWorkDone(): Promise<undefined> {
    return this.#last.then(() => undefined);
  }
}

async function steps(commands: readonly Command[], count: number, most: number) {
  const device = new SlowDevice();
  const pieces = new Pieces(device, most, () => device.time);
  const taken: number[][] = [];
  for (let step = 0; step < count; step++) {
    device.taken.length = 0;
    device.order.length = 0;
    await pieces.send(
      commands,
      (command) => (command.dispatch ? command : undefined),
      (piece) => device.submit(piece),
    );
    await device.onSubmittedWorkDone();
    expect(device.order).toEqual(commands); // all, in order
    taken.push([...device.taken]);
  }
  return { device, taken };
}

const dispatches = (...costs: number[]): Command[] => costs.map((ms) => ({ ms, dispatch: true }));

describe('work in pieces', () => {
  it('takes about as long a submit as it may, whatever the dispatches take', async () => {
    const mixed = dispatches(...Array.from({ length: 300 }, (_, i) => [0.2, 3, 0.5, 14, 1][i % 5] as number));
    const { device, taken } = await steps(mixed, 30, 100);
    const last = taken.at(-1) as number[];
    expect(Math.max(...last)).toBeLessThan(130);
    expect(last.length).toBeLessThan(1.5 * Math.ceil(1122 / 100) + 1);
    expect(device.mostPending).toBe(2);
  });

  it('becomes one submit on a fast device, and one dispatch each on a slow one', async () => {
    const fast = await steps(dispatches(...Array(200).fill(0.01)), 10, 100);
    expect(fast.taken.at(-1)).toHaveLength(1);
    const slow = await steps(dispatches(250, 250, 250), 10, 100);
    expect(slow.taken.at(-1)).toEqual([250, 250, 250]);
  });

  it('counts dispatches alone, and loses no command where there are none', async () => {
    const none = { ms: 0, dispatch: false };
    const { taken } = await steps([none, ...dispatches(60), none, ...dispatches(60, 60), none], 10, 100);
    expect(taken.at(-1)).toEqual([60, 60, 60]);
    expect((await steps([none, none], 1, 100)).taken).toEqual([[0]]);
    expect((await steps([], 1, 100)).taken).toEqual([[]]);
  });

  it('is asked for by a number above 0', async () => {
    const device = await testDevice();
    expect(() => new Workspace(device, { submitMs: 0 })).toThrow(WorkspaceError);
    expect(() => new Workspace(device, { memoryLimit: -1 })).toThrow('memoryLimit is -1');
    expect(() => new Workspace(device, { submitMS: 5 } as object)).toThrow('no option submitMS');
  });
});

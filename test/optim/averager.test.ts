import { expect, it } from 'vitest';
import {
  type Averager,
  Learner,
  linear,
  type Module,
  squaredError,
  type Tape,
  type Tensor,
  Workspace,
} from '../../src/nn/index.ts';
import type { FlatBuffers } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { fine } from './small_module.ts';

const WIDTH = 64; // a weight is a range of its own
const LAYERS = 40;
const STEPS = 6;

const module: Module = {
  parameters: Array.from({ length: LAYERS }, (_, i) => ({
    name: `w${i}`,
    shape: [WIDTH, WIDTH],
    init: 'xavier' as const,
  })),
  constants: [],
};

/** Takes what is sent as it is when it may be, and gives twice of it. */
class Doubler implements Averager {
  /** Of each step, after how many ranges each call came, that of `finish` last. */
  readonly calls: number[][] = [];
  /** In which steps it was told that its host is idle. */
  readonly idles: number[] = [];
  readonly #workspace: Workspace;
  readonly #lets: boolean;
  #ranges: Tensor[] = [];
  #copies: Tensor[] = [];
  #sent = 0;

  /** @param lets the learner record what comes after, before it brings what is averaged. */
  constructor(workspace: Workspace, lets: boolean) {
    this.#workspace = workspace;
    this.#lets = lets;
  }

  async begin(gradients: FlatBuffers, loss: Tensor) {
    const all = gradients.layout.places.toReversed().map(({ chunk, offset }) => {
      return (gradients.chunks[chunk] as Tensor).slice(offset / 4, WIDTH * WIDTH);
    });
    this.#ranges = [...all, loss.slice(0, 1)];
    if (this.#copies.length === 0)
      this.#copies = this.#ranges.map(({ count }) => this.#workspace.create('data', 'copy', [count]));
    this.#sent = 0;
    this.calls.push([]);
    return this.#ranges;
  }

  send(count: number): void {
    this.calls.at(-1)?.push(count);
    const encoder = this.#workspace.device.createCommandEncoder();
    for (; this.#sent < count; this.#sent++) {
      const [from, to] = [this.#ranges[this.#sent] as Tensor, this.#copies[this.#sent] as Tensor];
      encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, from.bytes);
    }
    this.#workspace.device.queue.submit([encoder.finish()]);
  }

  async finish(meanwhile?: () => Promise<void>): Promise<void> {
    this.send(this.#ranges.length);
    const read: Float32Array<ArrayBuffer>[] = [];
    for (const copy of this.#copies) read.push(await this.#workspace.read(copy));
    if (this.#lets) await meanwhile?.();
    for (const [i, values] of read.entries()) {
      const { buffer, offset } = this.#ranges[i] as Tensor;
      this.#workspace.device.queue.writeBuffer(
        buffer,
        offset,
        values.map((v) => 2 * v),
      );
    }
  }

  idle(): void {
    this.idles.push(this.calls.length);
  }

  async any(said: boolean): Promise<boolean> {
    return said;
  }

  free(): void {
    for (const copy of this.#copies) this.#workspace.free(copy);
  }
}

interface How {
  readonly parts?: number;
  readonly lr?: number;
  /** Looks at the gradients. */
  readonly looks?: boolean;
  readonly lets?: boolean;
  readonly precision?: 'f32' | 'mixed';
}

async function train(averaged: boolean, { parts = 1, lr = 1e-9, looks = true, lets = false, precision = 'f32' }: How) {
  const workspace = new Workspace(await testDevice());
  const averager = averaged ? new Doubler(workspace, lets) : undefined;
  const gradients: Float32Array[] = [];
  const learner = new Learner(workspace, precision === 'mixed' ? { ...module, halves: true } : module, {
    ...fine,
    optimizer: { ...fine.optimizer, lr },
    precision,
    ...(looks && { onGradients: async (flat: FlatBuffers) => void gradients.push(await flat.readChunk(0)) }),
    ...(averager && { averager }),
  });
  const [x, y] = ['x', 'y'].map((name) => workspace.create('data', name, [8, WIDTH])) as [Tensor, Tensor];
  let step = 0;
  const steady = {
    upload: () => {
      step++;
      workspace.stream.write(
        x,
        Float32Array.from({ length: x.count }, (_, i) => Math.sin(i * i + step)),
      );
    },
    record: (tape: Tape, weights: typeof learner.weights) => {
      let h = x;
      for (let i = 0; i < LAYERS; i++) h = linear(tape, h, weights.get(`w${i}`));
      return squaredError(tape, h, y);
    },
  };
  const others = Array.from({ length: parts - 1 }, () => ({
    ...steady,
    record: steady.record.bind(undefined),
    share: 1,
  }));
  for (let i = 0; i < STEPS; i++) await learner.step(parts === 1 ? steady : [...others, { ...steady, share: 2 }]);
  const metrics = await learner.metrics();
  const losses = metrics.map(({ loss }) => loss);
  const weights = await learner.weights.flat.values.readChunk(0);
  await learner.free();
  const { calls, idles } = averager ?? { calls: [], idles: [] };
  const left = workspace.ledger.bytes().parameter;
  await workspace.dispose();
  return { gradients, losses, metrics, weights, calls, idles, left };
}

it.each([[1], [3]])(
  'an averager sends gradients while the last backward of a known step of %i passes goes on, each when nothing touches it any more',
  async (parts) => {
    const plain = await train(false, { parts });
    const { gradients, losses, calls, left } = await train(true, { parts });
    const double = (values: ArrayLike<number>) => Array.from(values, (v) => 2 * v);
    gradients.forEach((gradient, i) => void expect([...gradient]).toEqual(double(plain.gradients[i] as Float32Array)));
    expect(losses).toEqual(double(plain.losses));
    expect(calls[0]).toEqual([LAYERS + 1]); // of a step that is not known yet all at its end
    const known = calls.at(-1) as number[];
    expect(known.length).toBeGreaterThan(4);
    expect(known.at(-2)).toBeGreaterThanOrEqual(LAYERS); // all but what is done at the very end went beside it
    expect(known[0]).toBeLessThanOrEqual(2);
    expect(known).toEqual([...known].sort((a, b) => a - b));
    expect(left).toBe(0);
  },
);

it('an averager is told where its host waits for a long forward, from the second such step on', async () => {
  const { queue } = await testDevice();
  const done = queue.onSubmittedWorkDone.bind(queue);
  const late = async () => {
    await done();
    await new Promise((over) => setTimeout(over, 25));
    return undefined;
  };
  Object.defineProperty(queue, 'onSubmittedWorkDone', { value: late, configurable: true });
  try {
    // The fourth step is the first that is known.
    expect((await train(true, {})).idles).toEqual([5, 6]);
  } finally {
    Reflect.deleteProperty(queue, 'onSubmittedWorkDone');
  }
});

it.each(['f32', 'mixed'] as const)(
  'an averager lets the learner record what comes after while ranges are on their way: %s steps are the same',
  async (precision) => {
    const how = { lr: 1e-3, looks: false, precision } as const;
    const { features } = await testDevice();
    if (precision === 'mixed' && !features.has('shader-f16'))
      return expect(train(true, how)).rejects.toThrow('the device has no shader-f16');
    const plain = await train(true, how);
    const early = await train(true, { ...how, lets: true });
    expect(early.weights).toEqual(plain.weights);
    expect(early.metrics).toEqual(plain.metrics);
    expect(early.losses[0]).not.toBe(early.losses.at(-1));
    const alone = await train(false, how);
    // The norm is that of what was brought, by the device's own sums.
    expect(early.metrics[0]?.gradNorm).toBeCloseTo(2 * (alone.metrics[0]?.gradNorm as number), 4);
  },
);

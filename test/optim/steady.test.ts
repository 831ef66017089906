import { expect, it } from 'vitest';
import { add } from '../../src/kernels/residual.ts';
import {
  Learner,
  linear,
  type NetworkWeights,
  type SteadyStep,
  squaredError,
  type Tape,
  type Tensor,
  Workspace,
} from '../../src/nn/index.ts';
import { testDevice } from '../gpu.ts';
import { BATCH, fine, IN, module, OUT } from './small_module.ts';

const numbers = (seed: number, count: number) => Float32Array.from({ length: count }, (_, i) => Math.sin(seed + i * i));

/** A learner with a step whose data is another one each time, and how often it was recorded. */
async function fresh() {
  const workspace = new Workspace(await testDevice());
  const learner = new Learner(workspace, module, { ...fine, maxGradNorm: 1 });
  const x = workspace.create('data', 'x', [BATCH, IN]);
  const y = workspace.create('data', 'y', [BATCH, OUT]);
  const counted = { records: 0, uploads: 0 };
  const upload = () => {
    counted.uploads++;
    workspace.stream.write(x, numbers(counted.uploads, x.count));
    workspace.stream.write(y, numbers(-counted.uploads, y.count));
  };
  const record = (tape: Tape, weights: NetworkWeights) => {
    counted.records++;
    return squaredError(tape, linear(tape, x, weights.get('weight'), weights.get('bias')), y);
  };
  return { workspace, learner, counted, steady: { upload, record } satisfies SteadyStep, x, y };
}

const state = async (learner: Learner) => [
  await learner.weights.flat.values.read(),
  await learner.average.flat.values.read(),
  await learner.optimizer.m.read(),
  await learner.metrics(),
];

it('a steady step is recorded until it is known, and gives the bits of one that is recorded each time', async () => {
  const kept = await fresh();
  const plain = await fresh();
  for (let i = 0; i < 9; i++) {
    await kept.learner.step(kept.steady);
    await plain.learner.step((tape, weights) => {
      plain.steady.upload();
      return plain.steady.record(tape, weights);
    });
  }
  expect(kept.counted).toEqual({ records: 3, uploads: 9 }); // the first writes what lasts, the next two are alike
  expect(plain.counted.records).toBe(9);
  expect(await state(kept.learner)).toEqual(await state(plain.learner));
  for (const { workspace } of [kept, plain]) await workspace.dispose();
});

it('a steady step is recorded again when a buffer is gone, a step failed, or another one came between', async () => {
  const { workspace, learner, counted, steady, x, y } = await fresh();
  const settle = async () => {
    for (let i = 0; i < 4; i++) await learner.step(steady);
    const { records } = counted;
    await learner.step(steady);
    expect(counted.records).toBe(records);
    return records;
  };
  let known = await settle();
  workspace.free(workspace.create('data', 'of another task', [4]));
  await learner.step(steady);
  expect(counted.records).toBe(known + 1);
  known = await settle();
  const failing = { ...steady, record: () => x };
  await expect(learner.step(failing)).rejects.toThrow('was not recorded');
  await learner.step(steady);
  expect(counted.records).toBe(known + 1);
  known = await settle();
  let shorter = 0;
  await learner.step({
    upload: steady.upload,
    record: (tape, weights) => {
      shorter++;
      return squaredError(tape, linear(tape, x, weights.get('weight')), y);
    },
  });
  expect(shorter).toBe(1);
  await learner.step(steady);
  expect(counted.records).toBe(known + 1);
  await workspace.dispose();
});

it('a step that writes from the host as it records is recorded each time', async () => {
  const { workspace, learner, counted, steady, x } = await fresh();
  const writing: SteadyStep = {
    upload: steady.upload,
    record: (tape, weights) => {
      workspace.stream.write(x, numbers(100 + counted.records, x.count));
      return steady.record(tape, weights);
    },
  };
  for (let i = 0; i < 5; i++) await learner.step(writing);
  expect(counted.records).toBe(5);
  await workspace.dispose();
});

it('a step that holds a step tensor from before is recorded each time', async () => {
  const { workspace, learner, counted, steady } = await fresh();
  const holding: SteadyStep = {
    record: steady.record,
    upload: () => {
      workspace.arena.alloc([4]);
      steady.upload();
    },
  };
  for (let i = 0; i < 5; i++) await learner.step(holding);
  expect(counted.records).toBe(5);
  await workspace.dispose();
});

it('a step that is none is refused', async () => {
  const { workspace, learner, steady } = await fresh();
  await expect(learner.step({ record: steady.record } as never)).rejects.toThrow('give (tape, weights) => loss, or');
  await workspace.dispose();
});

it('a step of parts is one of their mean, weighted by their shares', async () => {
  const { workspace, learner, counted, x, y } = await fresh();
  const halves = await fresh();
  const rows = [3, BATCH - 3] as const;
  const parts = rows.map((size, part) => {
    const [px, py] = [IN, OUT].map((width) => halves.workspace.create('data', 'part', [size, width])) as [
      Tensor,
      Tensor,
    ];
    const first = part === 0 ? 0 : rows[0];
    let step = 0;
    return {
      share: size,
      upload: () => {
        step++;
        halves.workspace.stream.write(px, numbers(step, x.count).subarray(first * IN, (first + size) * IN));
        halves.workspace.stream.write(py, numbers(-step, y.count).subarray(first * OUT, (first + size) * OUT));
      },
      record: (tape: Tape, weights: NetworkWeights) => {
        halves.counted.records++;
        return squaredError(tape, linear(tape, px, weights.get('weight'), weights.get('bias')), py);
      },
    };
  });
  const whole = {
    upload: () => {
      counted.uploads++;
      workspace.stream.write(x, numbers(counted.uploads, x.count));
      workspace.stream.write(y, numbers(-counted.uploads, y.count));
    },
    record: (tape: Tape, weights: NetworkWeights) =>
      squaredError(tape, linear(tape, x, weights.get('weight'), weights.get('bias')), y),
  };
  for (let i = 0; i < 9; i++) {
    await learner.step(whole);
    await halves.learner.step(parts);
  }
  expect(halves.counted.records).toBe(2 * 3);
  const [ours, theirs] = [await halves.learner.metrics(), await learner.metrics()];
  ours.forEach(({ loss, gradNorm }, i) => {
    expect(Math.abs(loss - (theirs[i]?.loss as number))).toBeLessThan(1e-6);
    expect(Math.abs(gradNorm - (theirs[i]?.gradNorm as number))).toBeLessThan(1e-6);
  });
  const [a, b] = [await halves.learner.weights.flat.values.read(), await learner.weights.flat.values.read()];
  for (const [name, values] of a)
    values.forEach((v, i) => void expect(Math.abs(v - (b.get(name)?.[i] as number))).toBeLessThan(1e-6));
  await expect(learner.step([])).rejects.toThrow('parts { upload, record, share }');
  for (const space of [workspace, halves.workspace]) await space.dispose();
});

it('a step goes to a device that is behind as a whole, and to one that waits for it part by part', async () => {
  const { workspace, learner, steady } = await fresh();
  const { queue } = workspace.device;
  const spare = workspace.create('data', 'spare', [BATCH, IN]);
  const long: SteadyStep = {
    upload: steady.upload,
    record: (tape, weights) => {
      for (let i = 0; i < 200; i++) tape.run(add.prepare(workspace.device), { a: spare, b: spare, out: extra }, dims);
      return steady.record(tape, weights);
    },
  };
  const extra = workspace.create('data', 'sum', [BATCH, IN]);
  const dims = { count: extra.count };
  let submits = 0;
  let late = 0;
  let ended: Promise<unknown> = Promise.resolve();
  const [submit, done] = [queue.submit.bind(queue), queue.onSubmittedWorkDone.bind(queue)];
  Object.defineProperty(queue, 'submit', {
    configurable: true,
    value: (buffers: GPUCommandBuffer[]) => {
      submits++;
      submit(buffers);
    },
  });
  Object.defineProperty(queue, 'onSubmittedWorkDone', {
    configurable: true,
    value: () => {
      const before = ended;
      ended = Promise.all([done(), before]).then(() => new Promise((r) => setTimeout(r, late))); // one step after the other
      return ended;
    },
  });
  const submitsOf = async (ms: number) => {
    late = ms;
    for (let i = 0; i < 3; i++) await learner.step(long);
    submits = 0;
    await learner.step(long);
    return submits;
  };
  try {
    await learner.metrics();
    for (let i = 0; i < 3; i++) await learner.step(long); // until its kernels are compiled, and its buffers there
    expect(await submitsOf(200)).toBe(1); // longer than a busy machine takes to record a step
    late = 0;
    // A process that is held up for a millisecond takes the device for one that is behind: not five times of five.
    const each: number[] = [];
    for (let i = 0; i < 5; i++) {
      await learner.metrics(); // nothing is left on the device
      await new Promise((r) => setTimeout(r, 50));
      submits = 0;
      await learner.step(long);
      each.push(submits);
    }
    expect(each).toContain(2);
  } finally {
    Reflect.deleteProperty(queue, 'submit');
    Reflect.deleteProperty(queue, 'onSubmittedWorkDone');
    await workspace.dispose();
  }
});

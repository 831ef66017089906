import { expect, it } from 'vitest';
import {
  crossEntropy,
  Learner,
  type LearnerOptions,
  linear,
  NonFiniteError,
  type StepBody,
  squaredError,
  Tape,
  type Tensor,
  type Weights,
  Workspace,
} from '../../src/nn/index.ts';
import type { FlatBuffers } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { scale } from './scale.ts';
import { BATCH, fine, IN, module, OUT } from './small_module.ts';

const x = Float32Array.from({ length: BATCH * IN }, (_, i) => Math.sin(i * i + 1));
const y = Float32Array.from({ length: BATCH * OUT }, (_, i) => {
  const [row, out] = [Math.floor(i / OUT), i % OUT];
  return 2 * (x[row * IN + out] as number) - (x[row * IN + 2] as number) + 0.5;
});

function put(tape: Tape, data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>, ...shape: number[]): Tensor {
  const tensor = tape.alloc(...shape);
  tape.workspace.stream.write(tensor, data);
  return tensor;
}

const forward = (tape: Tape, weights: Weights) =>
  linear(tape, put(tape, x, BATCH, IN), weights.get('weight'), weights.get('bias'));
const regression: StepBody = (tape, weights) => squaredError(tape, forward(tape, weights), put(tape, y, BATCH, OUT));

async function fresh(more: Partial<LearnerOptions> = {}, first?: (workspace: Workspace) => Partial<LearnerOptions>) {
  const workspace = new Workspace(await testDevice());
  return { workspace, learner: new Learner(workspace, module, { ...fine, ...more, ...first?.(workspace) }) };
}

const told = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error) => error);
/** All that lasts. */
const state = async (learner: Learner) => {
  const groups: [string, unknown][] = [];
  for (const [name, buffers] of learner.groups()) groups.push([name, await buffers.read()]);
  return [...groups, learner.steps, learner.optimizer.step];
};

it('a module of any kind learns what it is shown, and the average comes after it; nothing is left when it is freed', async () => {
  const { workspace, learner } = await fresh();
  for (let i = 0; i < 200; i++) await learner.step(regression);
  const metrics = (await learner.metrics()) as { loss: number; step: number }[];
  expect(metrics.map((m) => m.step)).toEqual(Array.from({ length: 128 }, (_, i) => i + 73));
  expect(metrics.at(-1)?.loss).toBeLessThan(1e-3);
  for (const set of [learner.weights, learner.average]) {
    const values = await set.flat.values.read();
    [2, 0, -1, 0, 2, -1].forEach((v, i) => void expect(values.get('weight')?.[i]).toBeCloseTo(v, 1));
  }
  await learner.free();
  await workspace.dispose();
  expect(workspace.ledger.total).toBe(0);
});

it('the loss is the mean of its elements, whoever walks the tape back from it', async () => {
  const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % OUT);
  const rows = (tape: Tape, weights: Weights) =>
    crossEntropy(tape, forward(tape, weights), { labels: put(tape, labels, BATCH) });
  let host: Float32Array = new Float32Array();
  const { learner, workspace } = await fresh();
  await learner.inspect(async () => {
    workspace.beginStep();
    host = await workspace.read(rows(new Tape(workspace, { record: false }), learner.weights));
  });
  await learner.step(rows);
  const [first] = await learner.metrics();
  expect(first?.loss).toBeCloseTo(host.reduce((a, b) => a + b, 0) / BATCH, 5);
  const byLearner = await learner.weights.flat.gradients?.read();

  const other = await fresh();
  const kept = other.workspace.create('data', 'the loss', [BATCH]);
  await other.learner.step((tape, weights) => {
    const loss = rows(tape, weights);
    tape.workspace.stream.copy(loss, kept);
    tape.backward(loss, put(tape, new Float32Array(BATCH).fill(1 / BATCH), BATCH));
    return kept;
  });
  expect((await other.learner.metrics())[0]).toEqual(first);
  expect(await other.learner.weights.flat.gradients?.read()).toEqual(byLearner);
  for (const made of [workspace, other.workspace]) await made.dispose();
});

it('a body that breaks the rules is told so, and leaves no trace', async () => {
  const { learner, workspace } = await fresh();
  await learner.step(regression);
  const before = await state(learner);
  for (const [body, message] of [
    [() => undefined, 'gave no tensor'],
    [async (tape: Tape, weights: Weights) => regression(tape, weights as never), 'gave no tensor'],
    [(tape: Tape) => put(tape, new Float32Array(1), 1), 'was not recorded'],
    [
      (tape: Tape, weights: Weights) => {
        const loss = regression(tape, weights as never);
        tape.backward(loss, put(tape, new Float32Array(BATCH), BATCH));
        return loss;
      },
      'the loss was freed by the backward from it. Fix: return it without',
    ],
    [
      () => {
        throw new RangeError('of its own');
      },
      'of its own',
    ],
    [3, 'the body of a step is number'],
  ] as const)
    expect((await told(learner.step(body as never)))?.message).toContain(message);
  expect(await state(learner)).toEqual(before);
  expect(await told(learner.step(regression, { singal: 1 } as never))).toMatchObject({
    name: 'LearnerError',
    message: expect.stringContaining('step: has no option singal. Fix: write signal'),
  });
  for (const [options, message] of [
    [{ ...fine, emaDecay: 2 }, 'Learner: emaDecay is 2'],
    [{ ...fine, onWeight: () => {} }, 'write onWeights'],
    [{ ...fine, seed: -1 }, 'seed is -1'],
    [undefined, 'the options are missing'],
  ] as const)
    expect(() => new Learner(workspace, module, options as never)).toThrow(message);
  expect(() => new Learner(workspace, {} as never, fine)).toThrow('give { parameters, constants }');
  await workspace.dispose();
});

it('onGradients reads on the host what the step computed, and what it writes is what is trained on', async () => {
  const seen: Float32Array[] = [];
  const device = await testDevice();
  let halved = false;
  const { learner, workspace } = await fresh({}, (workspace) => ({
    onGradients: async (gradients: FlatBuffers) => {
      const chunk = gradients.chunks[0] as Tensor;
      // without the workspace: the commands must have been submitted
      const staging = device.createBuffer({ size: chunk.bytes, usage: 0x1 | 0x8 });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(chunk.buffer, 0, staging, 0, chunk.bytes);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(1);
      const host = new Float32Array(staging.getMappedRange().slice(0));
      staging.destroy();
      expect(await workspace.read(chunk)).toEqual(host);
      seen.push(host);
      if (halved)
        device.queue.writeBuffer(
          chunk.buffer,
          0,
          host.map((v) => v / 2),
        );
    },
  }));
  await learner.step(regression);
  const [{ gradNorm } = { gradNorm: 0 }] = await learner.metrics();
  expect(Math.hypot(...(seen[0] as Float32Array))).toBeCloseTo(gradNorm, 4);
  halved = true;
  await learner.step(regression);
  const [second] = await learner.metrics();
  expect(second?.gradNorm).toBeCloseTo(Math.hypot(...(seen[1] as Float32Array)) / 2, 4);
  await workspace.dispose();
});

it('a step that fails in a hook leaves no trace', async () => {
  const runs: unknown[] = [];
  for (const failing of [false, true]) {
    let fail = '';
    const hook = (name: string) => () => {
      if (fail === name) throw new Error(`${name} failed`);
    };
    const { learner, workspace } = await fresh({
      onGradients: hook('onGradients'),
      onWeights: hook('onWeights'),
      optimizer: { ...fine.optimizer, type: 'DAdamW' },
    });
    for (let i = 0; i < 4; i++) {
      if (failing)
        for (fail of ['onGradients', 'onWeights'])
          expect((await told(learner.step(regression)))?.message).toContain(fail);
      fail = '';
      await learner.step(regression);
    }
    runs.push([await learner.metrics(), await state(learner)]);
    await learner.free();
    await workspace.dispose();
  }
  expect(runs[1]).toEqual(runs[0]);
});

it('the average is the same to the bit in the pass of the optimiser and in its own', async () => {
  const [fused, apart] = [await fresh(), await fresh({ onWeights: () => {} })];
  for (const { learner } of [fused, apart]) for (let i = 0; i < 3; i++) await learner.step(regression);
  expect(await state(fused.learner)).toEqual(await state(apart.learner));
});

it('onWeights comes after the optimiser and before the average', async () => {
  const double = (workspace: Workspace) => ({
    emaDecay: 0,
    onWeights: (weights: FlatBuffers) => scale(workspace, weights, 2),
  });
  const plain = await fresh();
  const doubled = await fresh({}, double);
  await plain.learner.step(regression);
  await doubled.learner.step(regression);
  const once = (await plain.learner.weights.flat.values.read()).get('weight') as Float32Array;
  const twice = await doubled.learner.weights.flat.values.read();
  expect(twice.get('weight')).toEqual(once.map((v) => 2 * v));
  expect(await doubled.learner.average.flat.values.read()).toEqual(twice);
  const late = await fresh({ onWeights: async () => {} });
  expect(await told(late.learner.step(regression))).toMatchObject({
    name: 'LearnerError',
    message: expect.stringContaining('onWeights gave a promise'),
  });
  for (const { workspace } of [plain, doubled, late]) await workspace.dispose();
});

it('in a step that is not taken onWeights changes nothing', async () => {
  let poison = false;
  const { learner, workspace } = await fresh({}, (workspace) => ({
    onWeights: (weights) => scale(workspace, weights, 1.25),
    onGradients: (gradients) => {
      if (poison) workspace.stream.write((gradients.chunks[0] as Tensor).slice(1, 1), Float32Array.of(Number.NaN));
    },
  }));
  for (let i = 0; i < 2; i++) await learner.step(regression);
  await learner.metrics();
  const sound = await state(learner);
  poison = true;
  for (let i = 0; i < 3; i++) await learner.step(regression);
  const error = await told(learner.metrics());
  expect(error).toBeInstanceOf(NonFiniteError);
  expect(error).toMatchObject({ step: 3 });
  expect(await state(learner)).toEqual(sound);
  learner.restored(2, 2);
  poison = false;
  await learner.step(regression);
  expect(await learner.metrics()).toMatchObject([{ step: 3, nonFinite: 0 }]);
  expect(await state(learner)).not.toEqual(sound);
  await workspace.dispose();
});

import { expect, it } from 'vitest';
import {
  activate,
  Learner,
  type LearnerOptions,
  linear,
  type Module,
  type StepBody,
  squaredError,
  type Tensor,
  Workspace,
} from '../../src/nn/index.ts';
import { Optimizer, type OptimizerOptions } from '../../src/optim/optimizer.ts';
import { type FlatBuffers, FlatLayout, FlatParameters } from '../../src/tensor/index.ts';
import { randn } from '../catalogue/optimizer_data.ts';
import { testDevice } from '../gpu.ts';
import { adamw, muon, newtonSchulz } from '../reference/index.ts';

const SPECS = [
  { name: 'first.weight', shape: [5, 7] },
  { name: 'first.bias', shape: [5] },
  { name: 'square.weight', shape: [16, 16] },
  { name: 'wide.weight', shape: [13, 41] },
  { name: 'wide.bias', shape: [13] },
  { name: 'norm.weight', shape: [41] },
  { name: 'wide2.weight', shape: [13, 41] },
  { name: 'tall.weight', shape: [113, 17] },
  { name: 'kernel.weight', shape: [19, 3, 3, 3] },
  { name: 't_embedder.weight', shape: [8, 8] },
  { name: 'column.weight', shape: [9, 1] },
  { name: 'last.weight', shape: [4, 6] },
  { name: 'last.bias', shape: [4] },
];
const MATRICES = ['square.weight', 'wide.weight', 'wide2.weight', 'tall.weight', 'kernel.weight'];
const OPTIONS: OptimizerOptions = { type: 'Muon', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0.1 };
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
const numbers = (stream: number, scale: number) =>
  new Map(SPECS.map(({ name, shape }, i) => [name, randn(size(shape), 100 * stream + i, scale)]));

async function made(options: Partial<OptimizerOptions> = {}, maxBytes?: number) {
  const workspace = new Workspace(await testDevice());
  const layout = maxBytes ? new FlatLayout(SPECS, maxBytes) : FlatParameters.layoutFor(workspace, SPECS);
  const parameters = new FlatParameters(workspace, layout, { trainable: true });
  const optimizer = new Optimizer(workspace, parameters, { ...OPTIONS, ...options });
  const clip = workspace.create('data', 'clip', [4]);
  workspace.stream.write(clip, new Float32Array([0.5, 0, 0, 0]));
  parameters.values.write(numbers(0, 0.3));
  const step = (gradients: Map<string, Float32Array<ArrayBuffer>>) => {
    workspace.beginStep();
    (parameters.gradients as FlatBuffers).write(gradients);
    optimizer.update(clip);
  };
  return { workspace, parameters, optimizer, clip, step };
}

type State = { param: Float64Array; m: Float64Array; v: Float64Array };

/** ||ours - theirs|| / ||theirs||. */
function apart(ours: ArrayLike<number>, theirs: ArrayLike<number>): number {
  const norm = (v: number[]) => Math.hypot(...v);
  return norm(Array.from(theirs, (t, i) => (ours[i] as number) - t)) / norm(Array.from(theirs));
}

for (const [how, maxBytes] of [
  ['one buffer', undefined],
  ['buffers cut within', 8192],
] as const)
  it(`ten updates are those in f64: Muon's for hidden matrices, AdamW's for the rest; ${how}`, async () => {
    const { workspace, parameters, optimizer, step } = await made({ matrix_lr: 0.05, momentum: 0.9 }, maxBytes);
    expect([...(await (optimizer.v as FlatBuffers).read()).keys()]).toEqual(
      SPECS.map((s) => s.name).filter((name) => !MATRICES.includes(name)),
    );
    const begin = numbers(0, 0.3);
    const zeros = (n: number) => new Float64Array(n);
    const oracle = new Map<string, State>(
      SPECS.map(({ name, shape }) => [
        name,
        { param: Float64Array.from(begin.get(name) ?? []), m: zeros(size(shape)), v: zeros(size(shape)) },
      ]),
    );
    for (let t = 1; t <= 10; t++) {
      const gradients = numbers(t, 0.1);
      step(gradients);
      const ours = await parameters.values.read();
      const moments = await optimizer.m.read();
      for (const { name, shape } of SPECS) {
        const state = oracle.get(name) as State;
        const grad = (gradients.get(name) as Float32Array).map((g) => g / 2);
        const [rows, cols] = [shape[0] as number, size(shape.slice(1))];
        const next = MATRICES.includes(name)
          ? {
              v: state.v,
              ...muon({ param: { rows, cols, values: state.param }, m: state.m }, grad, {
                lr: 0.05,
                momentum: 0.9,
                weightDecay: 0.1,
              }),
            }
          : adamw(state, grad, { lr: 1e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1 }, t);
        oracle.set(name, next);
        expect(apart(ours.get(name) as Float32Array, next.param), `${name}, step ${t}`).toBeLessThan(2e-5);
        expect(apart(moments.get(name) as Float32Array, next.m), `${name}, step ${t}`).toBeLessThan(1e-6);
      }
    }
    optimizer.free();
    await workspace.dispose();
    expect(workspace.ledger.total).toBe(0);
  });

it('makes singular values near 1 of any, and a matrix of zeros stays one', async () => {
  const { workspace, parameters, step } = await made({ matrix_lr: 1, momentum: 0, weight_decay: 0 });
  const gradients = numbers(1, 1e-4);
  gradients.get('wide.weight')?.fill(0);
  step(gradients);
  const [before, after] = [numbers(0, 0.3), await parameters.values.read()];
  expect(after.get('wide.weight')).toEqual(before.get('wide.weight'));
  for (const name of ['square.weight', 'wide2.weight', 'tall.weight', 'kernel.weight']) {
    const shape = SPECS.find((s) => s.name === name)?.shape as number[];
    const [rows, cols] = [shape[0] as number, size(shape.slice(1))];
    const update = Float64Array.from(after.get(name) ?? [], (v, i) => (before.get(name)?.[i] as number) - v);
    const exact = newtonSchulz({ rows, cols, values: gradients.get(name) as Float32Array });
    const factor = Math.sqrt(Math.max(1, rows / cols));
    const theirs = exact.map((v) => factor * v);
    expect(apart(update, theirs)).toBeLessThan(3e-4); // rounding of small singular values grows as they do, 3.4445^5 fold
    // The mean of the squares of its singular values: each is within .5 to 1.5, as published, or a little below.
    const squares = update.reduce((sum, v) => sum + v * v, 0) / factor ** 2 / Math.min(rows, cols);
    expect(squares).toBeGreaterThan(0.4);
    expect(squares).toBeLessThan(1.5);
  }
  await workspace.dispose();
});

it('a gradient that is not finite counts as 0, and a step that is held changes nothing', async () => {
  const { workspace, parameters, optimizer, clip, step } = await made();
  const [broken, zero] = [numbers(1, 0.1), numbers(1, 0.1)];
  for (const name of ['tall.weight', 'last.bias'])
    for (const [i, value] of [Number.NaN, Number.POSITIVE_INFINITY].entries()) {
      (broken.get(name) as Float32Array)[i] = value;
      (zero.get(name) as Float32Array)[i] = 0;
    }
  const state = async () => [await parameters.values.read(), await optimizer.m.read(), await optimizer.v?.read()];
  step(broken);
  const first = await state();
  const other = await made();
  other.step(zero);
  expect(await other.parameters.values.read()).toEqual(first[0]);
  workspace.stream.write(clip, new Float32Array([0.5, 0, 1, 1]));
  step(numbers(2, 0.1));
  expect(await state()).toEqual(first);
  for (const one of [workspace, other.workspace]) await one.dispose();
});

const [IN, WIDTH, BATCH] = [4, 24, 64];
const layer = (name: string, out: number, into: number) => [
  { name: `${name}.weight`, shape: [out, into], init: 'xavier' as const },
  { name: `${name}.bias`, shape: [out], init: 'zeros' as const },
];
const module: Module = {
  parameters: [
    layer('in', WIDTH, IN),
    layer('mid', WIDTH, WIDTH),
    layer('up', 2 * WIDTH, WIDTH),
    layer('out', 1, 2 * WIDTH),
  ].flat(),
  constants: [],
};
const inputs = randn(BATCH * IN, 1);
const targets = Float32Array.from(
  { length: BATCH },
  (_, i) => Math.sin(3 * (inputs[IN * i] as number)) * (inputs[IN * i + 1] as number),
);
const regression: StepBody = (tape, weights) => {
  const put = (data: Float32Array<ArrayBuffer>, ...shape: number[]): Tensor => {
    const tensor = tape.alloc(...shape);
    tape.workspace.stream.write(tensor, data);
    return tensor;
  };
  let h = put(inputs, BATCH, IN);
  for (const name of ['in', 'mid', 'up', 'out']) {
    const y = linear(tape, h, weights.get(`${name}.weight`), weights.get(`${name}.bias`));
    h = name === 'out' ? y : activate(tape, y, 'silu');
  }
  return squaredError(tape, h, put(targets, BATCH, 1));
};

async function trained(optimizer: OptimizerOptions, steps: number): Promise<number> {
  const workspace = new Workspace(await testDevice());
  const options: LearnerOptions = { optimizer, emaDecay: 0.9, maxGradNorm: 1, seed: 1 };
  const learner = new Learner(workspace, module, options);
  for (let i = 0; i < steps; i++) await learner.step(regression);
  const metrics = await learner.metrics();
  await workspace.dispose();
  return metrics.at(-1)?.loss as number;
}

it('learns a small regression', async () => {
  const plain = { lr: 3e-3, betas: [0.9, 0.95], weight_decay: 0, lr_decay: 'linear', lr_decay_steps: 150 } as const;
  const loss = await trained({ type: 'Muon', matrix_lr: 0.1, ...plain }, 150);
  expect(loss).toBeLessThan(2e-3); // 1.3e-4 of 0.66
  expect(loss).toBeLessThan(0.1 * (await trained({ type: 'AdamW', ...plain }, 150))); // 0.17: the matrices learned
});

it('refuses a network without a matrix of a hidden layer', async () => {
  const workspace = new Workspace(await testDevice());
  const layout = FlatParameters.layoutFor(workspace, SPECS.slice(0, 2));
  const parameters = new FlatParameters(workspace, layout, { trainable: true });
  expect(() => new Optimizer(workspace, parameters, OPTIONS)).toThrow('Muon finds no matrix of a hidden layer');
  await workspace.dispose();
});

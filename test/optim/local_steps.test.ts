import { expect, it } from 'vitest';
import {
  type Averager,
  Learner,
  type LearnerOptions,
  linear,
  NonFiniteError,
  type StepBody,
  squaredError,
  Workspace,
} from '../../src/nn/index.ts';
import { testDevice } from '../gpu.ts';
import { nesterov } from '../reference/index.ts';
import { BATCH, fine, IN, module, OUT } from './small_module.ts';

const OUTER = { lr: 0.7, momentum: 0.9 };

/** A regression on numbers of its own in each step; `factor` 0 / 0 makes a loss that is not finite. */
const body =
  (step: number, factor = 1): StepBody =>
  (tape, weights) => {
    const [x, y] = [tape.alloc(BATCH, IN), tape.alloc(BATCH, OUT)];
    const numbers = (count: number, seed: number) =>
      Float32Array.from({ length: count }, (_, i) => factor * Math.sin(i * i + seed));
    tape.workspace.stream.write(x, numbers(x.count, step));
    tape.workspace.stream.write(y, numbers(y.count, step + 0.5));
    return squaredError(tape, linear(tape, x, weights.get('weight'), weights.get('bias')), y);
  };

async function fresh(more: Partial<LearnerOptions> = {}) {
  const workspace = new Workspace(await testDevice());
  return new Learner(workspace, module, { ...fine, ...more });
}

const weightsOf = (learner: Learner, group = 'model') =>
  learner.inspect(async () => [...((await learner.groups().get(group)?.read()) ?? [])].flatMap(([, v]) => [...v]));

/** Puts numbers in the place of all weights, in the order of `weightsOf`. */
function write(learner: Learner, values: ArrayLike<number>): void {
  let at = 0;
  learner.weights.flat.values.write(
    new Map(
      module.parameters.map(({ name, shape }) => {
        const count = shape.reduce((a, b) => a * b, 1);
        at += count;
        return [name, Float32Array.from({ length: count }, (_, i) => values[at - count + i] as number)];
      }),
    ),
  );
}

function expectClose(ours: readonly number[], theirs: ArrayLike<number>): void {
  expect(ours).toHaveLength(theirs.length);
  ours.forEach((v, i) => void expect(Math.abs(v - (theirs[i] as number))).toBeLessThan(1e-6));
}

it.each([{}, { optimizer: { ...fine.optimizer, type: 'Lion' as const } }])(
  'an outer step is made from where a round began, inner moments go on, and averages follow it: %j',
  async (more) => {
    const local = await fresh({ ...more, emaDecays: [0.5], localSteps: { steps: 3, ...OUTER } });
    const plain = await fresh(more);
    let start: ArrayLike<number> = await weightsOf(plain);
    let m: ArrayLike<number> = Array.from(start, () => 0);
    let [average, other] = [Float64Array.from(start), Float64Array.from(start)];
    for (let step = 0; step < 8; step++) {
      await local.step(body(step));
      await plain.step(body(step));
      const own = await weightsOf(plain);
      if (step === 7) await local.endRound(); // a round of two steps
      if (step % 3 !== 2 && step !== 7) {
        expectClose(await weightsOf(local), own);
        continue;
      }
      const steps = step === 7 ? 2 : 3;
      const before = start;
      const next = nesterov(
        { param: start, m },
        own.map((v, i) => (before[i] as number) - v),
        OUTER.lr,
        OUTER.momentum,
      );
      [start, m] = [next.param, next.m];
      const followed = (old: Float64Array, decay: number) =>
        old.map((v, i) => decay ** steps * v + (1 - decay ** steps) * (next.param[i] as number));
      [average, other] = [followed(average, fine.emaDecay), followed(other, 0.5)];
      write(plain, start);
      expectClose(await weightsOf(local), start);
      expectClose(await weightsOf(local, 'ema'), average);
      expectClose(await weightsOf(local, 'ema-0.5'), other);
    }
    await local.endRound(); // of no step
    expectClose(await weightsOf(local), start);
    for (const { workspace } of [local, plain]) await workspace.dispose();
  },
);

it('a state within a round goes on to the same bits', async () => {
  const localSteps = { steps: 3, ...OUTER };
  const [first, second] = [await fresh({ localSteps }), await fresh({ localSteps })];
  for (let step = 0; step < 4; step++) await first.step(body(step));
  for (const [name, buffers] of second.groups())
    buffers.write((await first.groups().get(name)?.read()) as Map<string, Float32Array<ArrayBuffer>>);
  second.restored(first.steps, first.optimizer.step, first.roundBegan);
  expect(second.roundBegan).toBe(3);
  for (const learner of [first, second]) for (let step = 4; step < 7; step++) await learner.step(body(step));
  for (const group of ['model', 'ema', 'outer_start', 'outer_m'])
    expect(await weightsOf(second, group)).toEqual(await weightsOf(first, group));
  for (const learner of [first, second]) {
    await learner.free();
    expect(learner.workspace.ledger.bytes().optimizer).toBe(0);
    await learner.workspace.dispose();
  }
});

it('a step that is not finite, of this device or another, ends all at the outer step, which is not made', async () => {
  const told = (promise: Promise<unknown>) => promise.then(() => undefined).catch((error) => error);
  const asked: boolean[] = [];
  let exchanges = 0;
  const others: Averager = {
    begin: async () => [],
    send: () => {},
    finish: async () => void exchanges++,
    any: async (said) => {
      asked.push(said);
      return said || asked.length === 2;
    },
    free: () => {},
  };
  const localSteps = { steps: 2, ...OUTER };
  const own = await fresh({ localSteps });
  await own.step(body(0));
  const sound = await weightsOf(own);
  expect(await told(own.step(body(1, Number.NaN)))).toMatchObject({ name: 'NonFiniteError', step: 2 });
  expect(await weightsOf(own)).toEqual(sound);
  expect(await weightsOf(own, 'outer_start')).not.toEqual(sound);

  const sharing = await fresh({ localSteps, averager: others });
  for (let step = 0; step < 2; step++) await sharing.step(body(step));
  const start = await weightsOf(sharing);
  await sharing.step(body(2));
  const failure = await told(sharing.step(body(3)));
  expect(failure).toBeInstanceOf(NonFiniteError);
  expect(failure.message).toContain('the local steps up to 4 were not taken together');
  expect(failure.metrics).toHaveLength(4);
  expect(asked).toEqual([false, false]);
  expect(exchanges).toBe(1);
  expect(await weightsOf(sharing, 'outer_start')).toEqual(start);
  expect(await told(sharing.step(body(4)))).toBe(failure);
  for (const { workspace } of [own, sharing]) await workspace.dispose();
});

it('impossible numbers are refused', async () => {
  for (const [localSteps, said] of [
    [{ steps: 0, ...OUTER }, 'localSteps.steps is 0'],
    [{ ...OUTER, steps: 2, lr: 0 }, 'localSteps.lr is 0'],
    [{ ...OUTER, steps: 2, momentum: 1 }, 'localSteps.momentum is 1'],
  ] as const)
    await expect(fresh({ localSteps })).rejects.toThrow(said);
});

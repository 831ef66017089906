import { afterAll, describe, expect, it } from 'vitest';
import { Optimizer } from '../../src/optim/optimizer.ts';
import { type FlatBuffers, FlatParameters, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';
import { dadapt } from '../reference/optimizer.ts';

/** |x - 3|^2 / 2 over 70 elements in two tensors, from 0. */
const SIZES = { a: 69, b: 1 };
const NUMBERS = { lr: 1, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0 };

describe('D-adaptation', () => {
  const workspaces: Workspace[] = [];
  afterAll(async () => {
    for (const workspace of workspaces) await workspace.dispose();
  });

  it('finds its step from 1e-6 on, as the published algorithm does in f64, over all tensors together', async () => {
    const workspace = new Workspace(await testDevice());
    workspaces.push(workspace);
    const specs = Object.entries(SIZES).map(([name, n]) => ({ name, shape: [n] }));
    const parameters = new FlatParameters(workspace, FlatParameters.layoutFor(workspace, specs), { trainable: true });
    const optimizer = new Optimizer(workspace, parameters, {
      type: 'DAdamW',
      lr: 1,
      betas: [0.9, 0.95],
      weight_decay: 0,
    });
    const clip = workspace.create('data', 'clip', [4]);
    workspace.stream.write(clip, new Float32Array([1, 0, 0, 0]));
    const zeros = new Float64Array(70);
    let oracle = { param: zeros, m: zeros, v: zeros, s: zeros, d: 1e-6, numerator: 0 };
    for (let step = 0; step < 60; step++) {
      const now = await parameters.values.read();
      const gradients = new Map([...now].map(([name, x]) => [name, x.map((value) => value - 3)]));
      (parameters.gradients as FlatBuffers).write(gradients);
      optimizer.update(clip);
      oracle = dadapt(
        oracle,
        oracle.param.map((value) => value - 3),
        NUMBERS,
      );
    }
    const [d] = await workspace.read((optimizer.adaptation as NonNullable<typeof optimizer.adaptation>).distance);
    const [x] = (await parameters.values.read()).get('b') as Float32Array;
    expect(oracle.d).toBeGreaterThan(0.1); // of a distance of 3: it grew a hundred thousand fold
    expect(Math.abs((d as number) / oracle.d - 1)).toBeLessThan(1e-3);
    expect(Math.abs((x as number) - (oracle.param[69] as number))).toBeLessThan(3e-3);
  });
});

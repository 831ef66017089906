import { describe, expect, it } from 'vitest';
import { activate } from '../../src/autograd/ops/activation.ts';
import { pool2d } from '../../src/autograd/ops/convolution.ts';
import { linear } from '../../src/autograd/ops/linear.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { lincomb } from '../../src/kernels/lincomb.ts';
import { lossForward } from '../../src/kernels/loss.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

// A diverged network must look diverged: no kernel may turn a NaN into a number.
describe('a NaN stays one', () => {
  const run = async (shape: number[], values: number[], op: (tape: Tape, x: Tensor) => Tensor) => {
    const workspace = new Workspace(await testDevice());
    const tape = new Tape(workspace, { record: false });
    const x = tape.alloc(...shape);
    workspace.stream.write(x, Float32Array.from(values));
    const out = [...(await workspace.read(op(tape, x)))];
    await workspace.dispose();
    return out;
  };

  it('in ReLU', async () => {
    expect(await run([4], [-1, NaN, 2, 0], (tape, x) => activate(tape, x, 'relu'))).toEqual([0, NaN, 2, 0]);
  });

  it('in a product with ReLU', async () => {
    const product = (tape: Tape, x: Tensor) => {
      const w = tape.alloc(1, 1);
      tape.workspace.stream.write(w, Float32Array.of(1));
      return linear(tape, x, w, undefined, { act: 'relu' });
    };
    expect(await run([3, 1], [-1, NaN, 2], product)).toEqual([0, NaN, 2]);
  });

  it('in the largest of a window', async () => {
    for (const at of [0, 1, 2, 3]) {
      const values = [1, 3, 2, 0];
      values[at] = NaN;
      const pool = (tape: Tape, x: Tensor) => pool2d(tape, x, 'max', { size: [2, 2], stride: 2 });
      expect(await run([1, 2, 2, 1], values, pool)).toEqual([NaN]);
    }
  });

  it('in a bounded correction, where an infinity is 1', async () => {
    const clamped = (tape: Tape, x: Tensor) => {
      const [coefs, origin, out] = [tape.alloc(2), tape.alloc(4), tape.alloc(4)];
      tape.workspace.stream.write(coefs, Float32Array.of(1, 1));
      tape.workspace.stream.write(origin, new Float32Array(4));
      const kernel = lincomb.prepare(tape.workspace.device, { inputs: 1, clamped: true });
      const offsets = { offset0: 0, offset1: 0, offset2: 0, offset3: 0, out_offset: 0 };
      tape.run(kernel, { u0: x, coefs, origin, out }, { batch: 1, n: 4, coef_stride: 0, coef_offset: 0, ...offsets });
      return out;
    };
    expect(await run([4], [NaN, Infinity, -Infinity, 0.5], clamped)).toEqual([NaN, 1, -1, 0.5]);
  });

  for (const cosine of [false, true]) {
    for (const squared of [false, true]) {
      it(`in the loss${cosine ? ' with the cosine' : ''}${squared ? ' of squares' : ''}, and an infinity is no number`, async () => {
        for (const [lanes, c] of [
          [1, 0],
          [64, 0.5],
        ] as const) {
          const losses = (tape: Tape, x: Tensor) => {
            const [target_value, per_sample, root] = [tape.alloc(8), tape.alloc(4), tape.alloc(4)];
            tape.workspace.stream.write(target_value, new Float32Array(8));
            const kernel = lossForward.prepare(tape.workspace.device, { cosine, squared, tile: { lanes } });
            tape.run(
              kernel,
              { prediction: x, target_value, per_sample, root },
              { batch: 4, channels: 1, pixels: 2, c },
            );
            return per_sample;
          };
          const [broken, infinite, negative, sound] = await run([8], [NaN, 1, 1, Infinity, -Infinity, 1, 1, 1], losses);
          expect(broken).toBeNaN();
          for (const loss of [infinite, negative]) {
            if (cosine) expect(loss).toBeNaN();
            else expect(loss).toBe(Infinity);
          }
          expect(sound).toBeGreaterThan(0.1);
        }
      });
    }
  }
});

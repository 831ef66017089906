import { describe, expect, it, vi } from 'vitest';
import { attention } from '../../src/autograd/ops/attention.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { type Tensor, Workspace } from '../../src/tensor/index.ts';
import { openDevice } from '../gpu.ts';
import { attentionGradients, randn } from '../reference/index.ts';

interface Given {
  data: Float32Array<ArrayBuffer>;
  tensor: Tensor;
}

/** A device that the choices take for a GPU: what a CPU adapter never chooses runs on it too. */
async function asGpu(): Promise<GPUDevice> {
  const device = await openDevice({ limits: 'default' });
  Object.defineProperty(device, 'adapterInfo', {
    value: { vendor: '', architecture: '', device: '', description: '' },
  });
  return device;
}

const [batch, heads, n, headDim] = [1, 2, 18, 8];

describe('the backward of attention on a GPU', () => {
  it.each([
    ['stores gradients by scores where nothing hides a key', {}, true],
    ['stores none where something does', { causal: 'start' } as const, false],
  ])(
    '%s',
    async (_, options, stores) => {
      const device = await asGpu();
      const workspace = new Workspace(device);
      workspace.beginStep();
      const tape = new Tape(workspace, { record: true });
      const [q, k, v, dout] = [1, 2, 3, 4].map((seed) => {
        const data = Float32Array.from(randn(batch * heads * n * headDim, seed));
        const tensor = workspace.arena.alloc([batch, heads, n, headDim]);
        workspace.stream.write(tensor, data);
        return { data, tensor };
      }) as [Given, Given, Given, Given];
      const inputs = [q, k, v].map(({ tensor }) => tape.watch(tensor)) as [Tensor, Tensor, Tensor];
      const run = vi.spyOn(tape, 'run');
      const out = attention(tape, ...inputs, options);
      tape.backward(out, dout.tensor.view(batch, n, heads, headDim));
      expect(run.mock.calls.some(([kernel]) => kernel.name === 'attention_tiled_bwd_q_stored')).toBe(stores);

      const problem = { batch, heads, n, headDim, q: q.data, k: k.data, v: v.data, scale: headDim ** -0.5, ...options };
      const { dq, dk, dv } = attentionGradients(problem, dout.data);
      for (const [i, wanted] of [dq, dk, dv].entries()) {
        const ours = await workspace.read(tape.gradient(inputs[i] as Tensor));
        const [wrong, size] = [0, 0].map((_, square) =>
          Math.sqrt(wanted.reduce((sum, x, at) => sum + (square ? x : x - (ours[at] as number)) ** 2, 0)),
        ) as [number, number];
        expect(wrong / size).toBeLessThan(2e-6); // f32 rounding of sums of n and headDim terms
      }
      device.destroy();
    },
    120_000,
  );
});

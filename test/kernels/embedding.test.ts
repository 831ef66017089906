import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { embedding, timestepEmbedding } from '../../src/kernels/embedding.ts';
import { prepared } from '../catalogue/case.ts';
import { embeddingCases } from '../catalogue/embedding.ts';
import { bindCase } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { kernelSuite } from './suite.ts';

kernelSuite('embedding', embeddingCases);

describe('embedding checks', () => {
  it('refuses sinusoids of one column', async () => {
    const kernel = timestepEmbedding.prepare(await testDevice());
    expect(() => kernel.bind({} as never, { count: 2, dim: 1, max_period: 1e4 })).toThrow('dim is 1');
  });

  it('gives NaN for an index past the table, and only there', async () => {
    const device = await testDevice();
    const kernel = await embedding.create(device);
    const run = prepared(
      kernel,
      { rows: 2, cols: 2, count: 3 },
      {
        inputs: { table: new Float32Array([1, 2, 3, 4]), index: new Uint32Array([1, 2, 0]) },
        outputs: { out: 6 },
        oracle: () => ({}),
      },
    );
    const bound = bindCase(device, run);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    run.kernel.encode(pass, run.kernel.bind(bound.buffers as never, run.dims as never));
    pass.end();
    device.queue.submit([encoder.finish()]);
    const words = new Uint32Array(await readBuffer(device, bound.buffers.out as GPUBuffer)).subarray(0, 6);
    expect([...words.subarray(2, 4)]).toEqual([0x7fc00000, 0x7fc00000]); // the kernel's own NaN, not the poison
    const out = new Float32Array(words.slice().buffer);
    expect([...out.subarray(0, 2), ...out.subarray(4)]).toEqual([3, 4, 1, 2]);
    bound.destroy();
  });
});

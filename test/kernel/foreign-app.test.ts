import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { cacheOf, KernelError, releaseKernels } from '../../src/kernel/index.ts';
import { matmul } from '../../src/kernels/matmul.ts';
import { norm } from '../../src/kernels/norm.ts';
import { openDevice } from '../gpu.ts';

const DIMS = { rows: 2, cols: 3, eps: 1e-6 };

describe("one kernel in somebody else's app", () => {
  it('refuses a kernel of a feature that the device lacks, by name', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    await expect(matmul.create(device, { layout: 'nn', dtype: 'f16' })).rejects.toMatchObject({
      code: 'missing-feature',
      message: expect.stringMatching(/matmul_plain.*needs the feature shader-f16.*Fix: request the device/),
    });
    device.destroy();
  });

  it('runs on a foreign device, in a foreign encoder, on ranges of a foreign buffer', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    const x = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    const out = device.createBuffer({ size: 1024, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    device.queue.writeBuffer(x, 256, new Float32Array([1, 2, 3, 4, 6, 8]));

    const layernorm = await norm.create(device, { kind: 'layer', stats: false });
    const record = layernorm.bind({ x: { buffer: x, offset: 256, size: 24 }, y: { buffer: out, offset: 512 } }, DIMS);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    layernorm.encode(pass, record);
    pass.end();
    device.queue.submit([encoder.finish()]);

    const y = new Float32Array(await readBuffer(device, out, 512, 24));
    [-1.2247, 0, 1.2247, -1.2247, 0, 1.2247].forEach((v, i) => void expect(y[i]).toBeCloseTo(v, 3));
    expect(Object.isFrozen(record)).toBe(true);
    const before = cacheOf(device).bytes;
    layernorm.bind({ x: { buffer: x, offset: 256, size: 24 }, y: { buffer: out, offset: 512 } }, DIMS);
    expect(cacheOf(device).bytes).toBe(before); // equal dims share one uniform slice
    releaseKernels(device);
    expect(cacheOf(device).bytes).toBe(0);
    device.destroy();
  });

  it('takes the best of its products for dims that are told when it is bound', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    const product = await matmul.create(device, { layout: 'nt' });
    const labels = new Set<string>();
    for (const [m, n, k] of [
      [1, 1, 1],
      [5, 7, 3],
      [33, 65, 41],
      [64, 64, 64],
      [64, 36, 8200],
      [1028, 516, 4],
    ] as const) {
      const whole = (count: number, seed: number) =>
        Float32Array.from({ length: count }, (_, i) => ((i * 7 + seed) % 9) - 4);
      const [a, b] = [whole(m * k, 1), whole(n * k, 5)];
      const buffers = [a, b, new Float32Array(m * n)].map((data) => {
        const buffer = device.createBuffer({
          size: data.byteLength,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
        });
        device.queue.writeBuffer(buffer, 0, data);
        return buffer;
      }) as [GPUBuffer, GPUBuffer, GPUBuffer];
      const record = product.bind({ a: buffers[0], b: buffers[1], out: buffers[2] }, { m, n, k });
      labels.add(record.label);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      product.encode(pass, record);
      pass.end();
      device.queue.submit([encoder.finish()]);
      const out = new Float32Array(await readBuffer(device, buffers[2]));
      for (const at of [0, Math.floor((m * n) / 2), m * n - 1]) {
        const [row, col] = [Math.floor(at / n), at % n];
        let sum = 0;
        for (let i = 0; i < k; i++) sum += (a[row * k + i] as number) * (b[col * k + i] as number);
        expect(out[at]).toBe(sum); // whole numbers: every order of the sum has the same bits
      }
    }
    expect(labels.size).toBeGreaterThan(1);
    const shaped = await matmul.create(device, { layout: 'nt' }, { m: 64, n: 64, k: 64 });
    expect(shaped.variant).not.toBe('');
    device.destroy();
  });

  it('names every broken precondition before WebGPU sees it', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    const kernel = await norm.create(device, { kind: 'layer', stats: false });
    const storage = (size: number) => device.createBuffer({ size, usage: GPUBufferUsage.STORAGE });
    const [x, y] = [storage(64), storage(64)];
    const code = (run: () => unknown): string => {
      try {
        run();
      } catch (error) {
        expect(error).toBeInstanceOf(KernelError);
        expect((error as KernelError).message).toMatch(/norm_fwd.*Fix: /);
        return (error as KernelError).code;
      }
      return 'none';
    };
    expect(code(() => kernel.bind({ x, y: x }, DIMS))).toBe('buffer-alias');
    expect(code(() => kernel.bind({ x, y: storage(16) }, DIMS))).toBe('buffer-too-small');
    expect(code(() => kernel.bind({ x } as never, DIMS))).toBe('missing-buffer');
    expect(code(() => kernel.bind({ x, y, weight: storage(64) }, DIMS))).toBe('unexpected-buffer');
    expect(code(() => kernel.bind({ x, y, nothing: y } as never, DIMS))).toBe('unexpected-buffer');
    expect(code(() => kernel.bind({ x: { buffer: storage(512), offset: 4 }, y }, DIMS))).toBe('buffer-alignment');
    expect(
      code(() => kernel.bind({ x: device.createBuffer({ size: 64, usage: GPUBufferUsage.COPY_DST }), y }, DIMS)),
    ).toBe('buffer-usage');
    expect(code(() => kernel.bind({ x, y }, { ...DIMS, rows: 1.5 }))).toBe('bad-dims');
    expect(code(() => kernel.bind({ x, y }, { ...DIMS, cols: 0 }))).toBe('bad-dims');
    expect(code(() => kernel.bind({ x, y }, { rows: 2, cols: 3 } as never))).toBe('bad-dims');
    // A dim of a part that the variant lacks: what it is then, or an error; nothing is ignored.
    expect(code(() => kernel.bind({ x, y }, { ...DIMS, shift_offset: 3 }))).toBe('bad-dims');
    expect(code(() => kernel.bind({ x, y }, { ...DIMS, shift_offset: 0 }))).toBe('none');
    expect(code(() => norm.prepare(device, { kind: 'layer', tile: { lanes: 0.5, rows: 1 } }))).toBe('bad-option');
    device.destroy();
  });
});

import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { defineKernel, group, KernelError, type KernelErrorCode, oneOf } from '../../src/kernel/index.ts';
import { activation } from '../../src/kernels/activation.ts';
import { norm } from '../../src/kernels/norm.ts';
import { add } from '../../src/kernels/residual.ts';
import { resizeRows } from '../../src/kernels/resize.ts';
import * as shaders from '../../src/shaders.generated.ts';
import { openDevice, testDevice } from '../gpu.ts';

const STORAGE = 0x80 | 0x4 | 0x8;
const make = (device: GPUDevice, data: number[]): GPUBuffer => {
  const buffer = device.createBuffer({ size: Math.max(4, 4 * data.length), usage: STORAGE });
  device.queue.writeBuffer(buffer, 0, Float32Array.from(data));
  return buffer;
};
type AnyKernel = {
  bind: (buffers: never, dims: never) => never;
  encode: (pass: GPUComputePassEncoder, record: never) => void;
};

/** Binds and runs; the KernelError's code, or undefined where it ran. WebGPU may not complain in either case. */
async function run(
  device: GPUDevice,
  kernel: unknown,
  buffers: unknown,
  dims: unknown,
): Promise<KernelErrorCode | undefined> {
  const { bind, encode } = {
    bind: (kernel as AnyKernel).bind.bind(kernel),
    encode: (kernel as AnyKernel).encode.bind(kernel),
  };
  device.pushErrorScope('validation');
  let code: KernelErrorCode | undefined;
  try {
    const record = bind(buffers as never, dims as never);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    encode(pass, record);
    pass.end();
    device.queue.submit([encoder.finish()]);
  } catch (error) {
    expect(error).toBeInstanceOf(KernelError);
    expect((error as KernelError).fix).not.toBe('');
    code = (error as KernelError).code;
  }
  expect((await device.popErrorScope())?.message).toBeUndefined();
  return code;
}

const DIMS = { rows: 2, cols: 4, mod_rows: 1, mod_stride: 0, scale_offset: 0, shift_offset: 0, eps: 1e-6 };

describe('bind', () => {
  it('runs work of size 0 as nothing, on buffers and ranges of size 0', async () => {
    const device = await testDevice();
    const relu = await activation.create(device, { act: 'relu' });
    const empty = () => device.createBuffer({ size: 0, usage: STORAGE });
    expect(await run(device, relu, { x: empty(), y: empty() }, { count: 0 })).toBeUndefined();
    const tail = { buffer: device.createBuffer({ size: 256, usage: STORAGE }), offset: 256, size: 0 };
    expect(await run(device, relu, { x: tail, y: empty() }, { count: 0 })).toBeUndefined();
    // Some work, though one buffer holds nothing: rows are padded from nothing to three zeros.
    const resize = await resizeRows.create(device);
    const out = make(device, [7, 7, 7]);
    expect(await run(device, resize, { x: empty(), out }, { rows: 1, cols_in: 0, cols_out: 3 })).toBeUndefined();
    expect([...new Float32Array(await readBuffer(device, out))]).toEqual([0, 0, 0]);
  });

  it('refuses what is no buffer, and ranges that are none', async () => {
    const device = await testDevice();
    const relu = await activation.create(device, { act: 'relu' });
    const y = make(device, Array(64).fill(0));
    const x = make(device, Array(256).fill(0));
    const texture = device.createTexture({ size: [4, 4], format: 'r32float', usage: 4 });
    for (const wrong of [3, 'x', true, {}, new Float32Array(64), [x], texture, { buffer: null }, { buffer: 'x' }])
      expect(await run(device, relu, { x: wrong, y }, { count: 16 })).toBe('bad-buffer');
    for (const range of [
      { offset: -256 },
      { offset: 0.5 },
      { offset: NaN },
      { size: NaN },
      { size: 2.5 },
      { offset: '256' },
    ])
      expect(await run(device, relu, { x: { buffer: x, ...range }, y }, { count: 16 })).toBe('bad-buffer');
    for (const range of [{ size: -4 }, { size: 60 }, { offset: 1024 }, { offset: 512, size: 1024 }])
      expect(await run(device, relu, { x: { buffer: x, ...range }, y }, { count: 16 })).toBe('buffer-too-small');
    for (const none of [undefined, null, 'xy'])
      expect(await run(device, relu, none, { count: 16 })).toBe('missing-buffer');
    expect(await run(device, relu, { x: null, y }, { count: 16 })).toBe('missing-buffer');
  });

  it('refuses dims that are missing, misspelt, or no numbers of their type', async () => {
    const device = await testDevice();
    const kernel = await norm.create(device, { kind: 'layer', stats: false });
    const [x, y] = [make(device, Array(8).fill(0)), make(device, Array(8).fill(0))];
    for (const wrong of [undefined, null, NaN, -1, 0.5, 2 ** 32, Infinity, '2', 2n, true])
      expect(await run(device, kernel, { x, y }, { ...DIMS, rows: wrong })).toBe('bad-dims');
    for (const wrong of [undefined, NaN, Infinity, 1e40, '1e-6'])
      expect(await run(device, kernel, { x, y }, { ...DIMS, eps: wrong })).toBe('bad-dims');
    expect(await run(device, kernel, { x, y }, { ...DIMS, epsilon: 1e-6 })).toBe('bad-dims');
    for (const none of [undefined, null, 3]) expect(await run(device, kernel, { x, y }, none)).toBe('bad-dims');
  });

  it('lets two outputs lie apart in one buffer, and nothing else', async () => {
    const device = await testDevice();
    const kernel = await norm.create(device, { kind: 'layer' });
    const x = make(device, [1, 2, 3, 4, 4, 3, 2, 1]);
    const both = make(device, Array(192).fill(0));
    const at = (offset: number, size = 256) => ({ buffer: both, offset, size });
    expect(await run(device, kernel, { x, y: at(0), stats: at(256) }, DIMS)).toBeUndefined();
    const got = new Float32Array(await readBuffer(device, both));
    expect(got[0]).toBeCloseTo(-1.342, 3);
    expect(got[64]).toBe(2.5);
    expect(await run(device, kernel, { x, y: at(256), stats: { buffer: both } }, DIMS)).toBeUndefined();
    expect(await run(device, kernel, { x, y: at(0), stats: at(0) }, DIMS)).toBe('buffer-alias');
    expect(await run(device, kernel, { x, y: both, stats: both }, DIMS)).toBe('buffer-alias');
    expect(await run(device, kernel, { x: at(512), y: at(0), stats: at(256) }, DIMS)).toBe('buffer-alias');
    const wide = { ...DIMS, rows: 10, cols: 10 }; // y's 400 bytes reach into the range of stats
    expect(await run(device, kernel, { x: make(device, Array(100).fill(1)), y: both, stats: at(256) }, wide)).toBe(
      'buffer-alias',
    );
  });
});

describe('create', () => {
  it('rejects for what is no device, and never throws', async () => {
    for (const none of [undefined, null, 3, {}, 'gpu']) {
      const error: unknown = await norm.create(none as never, { kind: 'layer' }).catch((e: unknown) => e);
      expect((error as KernelError).code).toBe('bad-device');
    }
  });

  it('says that a device is lost, when it is asked for a kernel and when one is bound', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    const kernel = await add.create(device);
    const [a, out] = [make(device, [1]), make(device, [1])];
    device.destroy();
    await device.lost;
    const error: unknown = await norm.create(device, { kind: 'layer' }).catch((e: unknown) => e);
    expect((error as KernelError).code).toBe('bad-device');
    expect(() => kernel.bind({ a, b: a, out }, { count: 1 })).toThrow(
      /the device is lost .* Fix: request a new device/,
    );
  });

  it('says where a shader does not compile, and WebGPU says nothing besides', async () => {
    const device = await openDevice({ limits: 'default', features: [] });
    let uncaptured = 0;
    device.addEventListener('uncapturederror', (event) => {
      uncaptured++;
      event.preventDefault();
    });
    const shader = { ...shaders.add, code: shaders.add.code.replace('f32(b[at])', 'nowhere') };
    const broken = defineKernel({ shader, sizes: () => ({ a: 1, b: 1, out: 1 }), grid: () => 1 });
    await expect(broken.create(device)).rejects.toThrow(/does not compile: line \d+: [\s\S]*nowhere/);
    await device.queue.onSubmittedWorkDone();
    expect(uncaptured).toBe(0);
    device.destroy();
  });
});

describe("an app's own kernels", () => {
  const family = (shader: typeof shaders.add) =>
    defineKernel({
      shader,
      sizes: (d: { count: number }) => ({ a: d.count, b: d.count, out: d.count }),
      grid: (d: { count: number }) => Math.ceil(d.count / 1024),
    });
  const edited = (operator: string) =>
    ({
      ...shaders.add,
      code: shaders.add.code.replace('f32(a[at]) + f32', `f32(a[at]) ${operator} f32`),
    }) as typeof shaders.add;
  const result = async (kernel: { create: (device: GPUDevice) => Promise<unknown> }) => {
    const device = await testDevice();
    const out = make(device, [0]);
    const buffers = { a: make(device, [8]), b: make(device, [2]), out };
    expect(await run(device, await kernel.create(device), buffers, { count: 1 })).toBeUndefined();
    return new Float32Array(await readBuffer(device, out))[0];
  };

  it('are told from ours, and from their own edits, though all have one name', async () => {
    expect(await result(add)).toBe(10);
    expect(await result(family(edited('-')))).toBe(6);
    expect(await result(family(edited('*')))).toBe(16);
    expect(await result(add)).toBe(10);
  });

  it('keep their own sizes where two share a shader, and their own binding layouts where two share a name', async () => {
    expect(await result(family(shaders.add))).toBe(10);
    const device = await testDevice();
    const long = defineKernel({ shader: shaders.add, sizes: () => ({ a: 99, b: 99, out: 99 }), grid: () => 1 });
    const [a, out] = [make(device, [1]), make(device, [1])];
    expect(await run(device, await long.create(device), { a, b: a, out }, { count: 1 })).toBe('buffer-too-small');
    const named = { ...shaders.activation_fwd, name: 'add' } as unknown as typeof shaders.activation_fwd;
    const relu = defineKernel({
      shader: named,
      options: group<{ act: 'relu' }>({ act: oneOf('relu') }),
      knobs: (_: { act: 'relu' }) => ({ ACT: 3 }),
      sizes: (d) => ({ x: d.count, y: d.count }),
      grid: () => 1,
    });
    const y = make(device, [0]);
    expect(
      await run(device, await relu.create(device, { act: 'relu' }), { x: make(device, [-3]), y }, { count: 1 }),
    ).toBeUndefined();
    expect(new Float32Array(await readBuffer(device, y))[0]).toBe(0);
  });
});

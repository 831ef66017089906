import { gzipSync } from 'node:zlib';
import { transformSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { paperDevice } from '../../src/alone/paper_device.ts';
import { readBuffer } from '../../src/device/index.ts';
import { type Caps, KernelError, PORTABLE } from '../../src/kernel/index.ts';
import { attention, matmul, norm } from '../../src/kernels/index.ts';
import type { KernelCase } from '../catalogue/case.ts';
import { catalogue } from '../catalogue/index.ts';
import { bindCase } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { Files } from './files.ts';

/** Bytes, minified and by gzip, that a kernel with its runtime may take. */
const MOST = 8000;
/** A GPU that has all that any kernel asks for. */
const MATRICES = [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }];
const EVERYTHING: Caps = { ...PORTABLE, f16: true, subgroups: { least: 32, most: 32 }, matrices: MATRICES };

const sizeOf = (js: string) => gzipSync(transformSync(js, { minify: true }).code, { level: 9 }).length;

/** A case of each kernel, its smallest. */
const ONE_EACH = [...new Set(catalogue.map(({ kernel }) => kernel))].map(
  (name) => catalogue.find((one) => one.kernel === name && one.smoke) ?? catalogue.find((one) => one.kernel === name),
) as KernelCase[];

/** Buffers and bindings that are none, for what is only checked. */
function paper(caps = EVERYTHING): GPUDevice {
  const { limits, features, ...rest } = paperDevice(caps);
  const createBuffer = ({ size }: { size: number }) => buffer(size);
  return {
    ...rest,
    limits,
    features,
    createBuffer,
    createBindGroup: () => ({}),
    queue: { writeBuffer: () => {} },
  } as never;
}

const buffer = (size: number, usage = 0x80) =>
  ({
    size,
    usage,
    destroy: () => {},
    getMappedRange: () => new ArrayBuffer(size),
    unmap: () => {},
  }) as unknown as GPUBuffer;

describe('every kernel as a file of its own', () => {
  const files = new Files();
  afterAll(() => files.remove());

  it.each(ONE_EACH.map((one) => [one.kernel, one] as const))('%s', async (name, one) => {
    const device = paper(one.needs ? EVERYTHING : PORTABLE);
    const { kernel, dims } = one.prepare(device);
    const written = await files.of(name, kernel);
    expect(sizeOf(written['.js'])).toBeLessThan(MOST);
    expect(written['.js']).not.toMatch(/^import |ucgm-webgpu\/|void 0|@__PURE__/m);

    const alone = await (await files.import(written['.js'])).create(device);
    const sizes = alone.sizes(dims);
    const exact = Object.fromEntries(Object.entries(sizes).map(([key, size]) => [key, buffer(size)]));
    expect(alone.bind(exact, dims).grid).toEqual(kernel.bind(exact as never, dims as never).grid);
    for (const [key, size] of Object.entries(sizes))
      if (size > 0)
        expect(() => kernel.bind({ ...exact, [key]: buffer(size - 4) } as never, dims as never)).toThrow(
          `${key} needs ${size} bytes`,
        );

    const gpu = await testDevice();
    if (one.needs?.some((feature) => !gpu.features.has(feature))) return; // its extension is unknown to the compiler
    const { messages } = await gpu.createShaderModule({ code: written['.wgsl'] }).getCompilationInfo();
    expect(messages.filter(({ type }) => type === 'error').map(({ message }) => message)).toEqual([]);
  });

  it('is below 8 kB with what is asked of it most', async () => {
    const device = paper(PORTABLE);
    const shape = { batch: 1, heads: 8, n: 1024, head_dim: 64 };
    const kernels = {
      norm: norm.prepare(device, { kind: 'layer', weight: true, bias: true, scale: true, shift: true }, { cols: 384 }),
      attention: attention.prepare(device, { headDim: 64 }, shape),
      'attention, causal': attention.prepare(device, { headDim: 64, causal: 'start' }, shape),
      'attention, all at once': attention.prepare(
        paper(),
        { headDim: 64, causal: 'end', mask: 'added', lengths: true, grouped: true, softcap: true, dtype: 'f16' },
        shape,
      ),
      matmul: matmul.prepare(
        device,
        { layout: 'nt', bias: true, act: 'gelu', gate: true, residual: true, pre: true },
        { m: 512, n: 512, k: 512 },
      ),
    };
    for (const [name, kernel] of Object.entries(kernels)) {
      const size = sizeOf((await files.of(name.replace(/,.*/, ''), kernel))['.js']);
      console.log(`${name}: ${size} bytes`);
      expect(size).toBeLessThan(MOST);
    }
  });
});

/** Cases whose kernels are run alone too: variants for GPUs and for processors, epilogues, several passes, halves. */
const RUN = [
  'norm layer+weight+bias+scale+shift+stats 41x113/41 16 lanes',
  'norm layer+weight+bias+scale+shift+stats 5x41/2 16 lanes hold 1',
  'softmax log 5x113 scale 0.5 16 lanes 2 quads',
  'attention 2x3x3x8',
  'attention 2x3x37x12 dtype f16 tile tiled 32 32 8 true',
  'attention 2x4x37x12 keys 43 kvHeads 2 valueDim 9 causal end offset 1 lengths 43.40 mask added.hn softcap 2 tile 32',
  'matmul nt+bias+silu+pre+residual 5x113x3 tiled 32x32',
  'conv2d 3x3/1 pad 1111 of 1x5x6x4 to 8',
  'sumCols 257x113 in 1 8 lanes',
];

describe('a kernel alone and in the library', () => {
  let device: GPUDevice;
  const files = new Files();
  beforeAll(async () => void (device = await testDevice()));
  afterAll(() => files.remove());

  it.each(RUN)('give the same bits: %s', async (title) => {
    const one = catalogue.find(({ kernel, name }) => `${kernel} ${name}` === title) as KernelCase;
    const run = one.prepare(device);
    await run.kernel.ready;
    const alone = await (await files.import((await files.of(one.kernel, run.kernel))['.js'])).create(device);
    const both = [bindCase(device, run), bindCase(device, run)] as const;
    device.pushErrorScope('validation');
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    run.kernel.encode(pass, run.kernel.bind(both[0].buffers as never, run.dims as never));
    pass.end();
    alone.dispatch(encoder, both[1].buffers, run.dims);
    device.queue.submit([encoder.finish()]);
    expect(await device.popErrorScope()).toBeNull();
    for (const name of Object.keys(run.outputs)) {
      const [ours, theirs] = await Promise.all(
        both.map(async ({ buffers }) => new Uint32Array(await readBuffer(device, buffers[name] as GPUBuffer))),
      );
      expect(ours?.some((word) => word !== 0x7fc0dead)).toBe(true);
      expect(theirs).toEqual(ours);
    }
    for (const bound of both) bound.destroy();
  });

  it('sum in two passes as the library does, in one pass of the app', async () => {
    const { sumCols } = await import('../../src/kernels/index.ts');
    const [rows, cols, chunk] = [1000, 37, 128];
    const chunks = Math.ceil(rows / chunk);
    const kernel = await sumCols.create(device);
    const alone = await (await files.import((await files.of('sumCols', kernel))['.js'])).create(device);
    const usage = 0x80 | 0x4 | 0x8;
    const x = device.createBuffer({ size: 4 * rows * cols, usage });
    device.queue.writeBuffer(
      x,
      0,
      Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i)),
    );
    const first = { rows, cols, chunk_rows: chunk };
    const second = { rows: chunks, cols, chunk_rows: chunks };
    expect(alone.sizes(first)).toEqual({ x: 4 * rows * cols, out: 4 * chunks * cols });
    const sums = await Promise.all(
      [true, false].map(async (library) => {
        const [parts, out] = [chunks, 1].map((count) => device.createBuffer({ size: 4 * count * cols, usage })) as [
          GPUBuffer,
          GPUBuffer,
        ];
        const encoder = device.createCommandEncoder();
        const pass = encoder.beginComputePass();
        if (library) {
          kernel.encode(pass, kernel.bind({ x, out: parts }, first));
          kernel.encode(pass, kernel.bind({ x: parts, out }, second));
        } else {
          alone.dispatch(pass, { x, out: parts }, first);
          alone.dispatch(pass, { x: parts, out }, second);
        }
        pass.end();
        device.queue.submit([encoder.finish()]);
        return new Uint32Array(await readBuffer(device, out));
      }),
    );
    expect(sums[1]).toEqual(sums[0]);
    expect(sums[0]?.some((word) => word !== 0)).toBe(true);
  });
});

describe('what is wrong is said before WebGPU sees it', () => {
  const files = new Files();
  afterAll(() => files.remove());
  const [rows, cols] = [4, 64];
  const good = { x: buffer(1024), y: buffer(1024) };
  const dims = { rows, cols, eps: 1e-6 };
  const shared = buffer(4096);
  const WRONG: [name: string, buffers: unknown, dims: unknown][] = [
    ['a dim is missing', good, { rows, cols }],
    ['a dim is no number', good, { ...dims, rows: 1.5 }],
    ['there is no such dim', good, { ...dims, toString: 1 }],
    ['the variant has no such dim', good, { ...dims, mod_rows: 2 }],
    ['the variant does not serve the dim', good, { ...dims, cols: 63 }],
    ['rows are too long for the variant', good, { ...dims, cols: 4096 }],
    ['there are no dims', good, null],
    ['the grid is too large', good, { ...dims, rows: 2 ** 32 - 1, cols: 4 }],
    ['a buffer is missing', { x: good.x }, dims],
    ['there are no buffers', undefined, dims],
    ['there is no such buffer', { ...good, z: good.x }, dims],
    ['a buffer is too small', { ...good, y: buffer(1020) }, dims],
    ['a buffer is no storage', { ...good, y: buffer(1024, 0x8) }, dims],
    ['a buffer is none', { ...good, y: 5 }, dims],
    ['a range starts anywhere', { ...good, y: { buffer: buffer(4096), offset: 4 } }, dims],
    ['a range passes the end', { ...good, y: { buffer: buffer(1024), size: 2048 } }, dims],
    ['one buffer is read and written', { x: shared, y: { buffer: shared, offset: 2048 } }, dims],
  ];
  const device = paper(PORTABLE);
  const kernel = norm.prepare(device, { kind: 'layer', stats: false }, { cols });
  const made = files.of('norm', kernel).then(({ '.js': js }) => files.import(js));

  it.each(WRONG)('%s', async (_, buffers, given) => {
    const alone = await (await made).create(device);
    const thrown = [kernel, alone].map((each) => {
      try {
        each.bind(buffers as never, given as never);
      } catch (error) {
        return error as KernelError;
      }
      throw new Error('nothing was thrown');
    });
    const [library, own] = thrown as [KernelError, KernelError];
    expect(library).toBeInstanceOf(KernelError);
    expect(own.name).toBe('KernelError');
    expect(own.code).toBe(library.code);
    expect(own.message).toBe(`norm: ${own.what}. Fix: ${own.fix}`);
    if (library.code === 'bad-dims') expect(own.what).toBe(library.what.replace(/^[^:]*: /, ''));
  });

  it('a device that is none, or has not what the kernel needs', async () => {
    const { create } = await made;
    await expect(create({} as never)).rejects.toThrow('norm: the device is [object Object]. Fix: give a GPUDevice');
    const small = paper({ ...PORTABLE, maxWorkgroupSize: 16 });
    await expect(create(small)).rejects.toMatchObject({
      code: 'limit',
      what: expect.stringContaining('maxComputeInvocationsPerWorkgroup 128'),
    });
    const halves = norm.prepare(paper(), { kind: 'rms', dtype: 'f16' });
    const f16 = await files.import((await files.of('norm', halves))['.js']);
    await expect(f16.create(device)).rejects.toMatchObject({ code: 'missing-feature' });
  });

  it('WGSL that is wrong, by its line', async () => {
    const { create } = await made;
    const gpu = await testDevice();
    gpu.pushErrorScope('validation');
    await expect(create(gpu, { code: 'fn main() { nothing(); }' })).rejects.toMatchObject({
      code: 'compile',
      what: expect.stringMatching(/line 1: unresolved call target 'nothing'/),
    });
    expect(await gpu.popErrorScope()).toBeNull();
  });
});

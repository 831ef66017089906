import { afterAll, describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import type { KernelFamily, ShaderSource } from '../../src/kernel/index.ts';
import * as kernels from '../../src/kernels/index.ts';
import { testDevice } from '../gpu.ts';

const TERMS = 1e7;
const STORAGE = 0x80 | 0x4 | 0x8;
const VALUE = Math.fround(0.1);

// Two inputs of 1e7 equal terms serve every kernel.
let tenths: Promise<GPUBuffer> | undefined;
async function manyTenths(device: GPUDevice): Promise<GPUBuffer> {
  tenths ??= (async () => {
    const buffer = device.createBuffer({ size: 4 * TERMS, usage: STORAGE });
    device.queue.writeBuffer(buffer, 0, new Float32Array(TERMS).fill(VALUE));
    return buffer;
  })();
  return tenths;
}
afterAll(async () => void (await tenths)?.destroy());

type Inputs = { [name: string]: number[] | 'tenths' | Uint32Array<ArrayBuffer> };

async function run(name: string, options: unknown, inputs: Inputs, outputs: { [name: string]: number }, dims: unknown) {
  const device = await testDevice();
  const family = (kernels as unknown as { [name: string]: KernelFamily<ShaderSource, unknown> })[name];
  const kernel = await (family as KernelFamily<ShaderSource, unknown>).create(device, options);
  const buffers: { [name: string]: GPUBuffer } = {};
  for (const [key, data] of Object.entries(inputs)) {
    if (data === 'tenths') buffers[key] = await manyTenths(device);
    else {
      const host = Array.isArray(data) ? Float32Array.from(data) : data;
      buffers[key] = device.createBuffer({ size: host.byteLength, usage: STORAGE });
      device.queue.writeBuffer(buffers[key] as GPUBuffer, 0, host);
    }
  }
  for (const [key, size] of Object.entries(outputs))
    buffers[key] ??= device.createBuffer({ size: 4 * size, usage: STORAGE });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  kernel.encode(pass, kernel.bind(buffers as never, dims as never));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const results: { [name: string]: Float32Array } = {};
  for (const key of Object.keys(outputs))
    results[key] = new Float32Array(await readBuffer(device, buffers[key] as GPUBuffer));
  for (const [key, buffer] of Object.entries(buffers)) if (inputs[key] !== 'tenths') buffer.destroy();
  return results;
}

const SUM = TERMS * VALUE;
const SQUARES = TERMS * VALUE * VALUE;

/** Kernel, options, inputs (all tenths), the output, dims, what comes out. */
type Sum = [string, unknown, Inputs, { [name: string]: number }, unknown, number];
const rowsOf = (lanes: number): Sum => [
  'sumRows',
  { tile: { lanes, rows: 1 } },
  { x: 'tenths' },
  { out: 1 },
  { rows: 1, cols: TERMS },
  SUM,
];
const colsOf = (lanes: number): Sum => [
  'sumCols',
  { tile: { lanes } },
  { x: 'tenths' },
  { out: 1 },
  { rows: TERMS, cols: 1, chunk_rows: TERMS },
  SUM,
];
const loss = (lanes: number): Sum => [
  'lossForward',
  { cosine: false, squared: true, tile: { lanes } },
  { prediction: 'tenths', target_value: new Uint32Array(TERMS) },
  { per_sample: 1, root: 1 },
  { batch: 1, channels: 4, pixels: TERMS / 4, c: 0 },
  VALUE * VALUE,
];
const sums: Sum[] = [
  rowsOf(1),
  rowsOf(64),
  colsOf(1),
  colsOf(8),
  loss(1),
  loss(256),
  [
    'lossForward',
    { cosine: true, squared: true, tile: { lanes: 1 } }, // all in one pixel's channels
    { prediction: 'tenths', target_value: 'tenths' },
    { per_sample: 1, root: 1 },
    { batch: 1, channels: TERMS, pixels: 1, c: 0 },
    0,
  ],
  ...[1, 256].map(
    (lanes): Sum => [
      'lossTotal',
      { tile: { lanes } },
      { per_sample: 'tenths', weights: 'tenths' },
      { total: 1 },
      { batch: TERMS, slot: 0, slots: 1 },
      VALUE * VALUE,
    ],
  ),
  ...[1, 8].map(
    (lanes): Sum => [
      'gatedResidualBackwardGate',
      { tile: { lanes } },
      { dy: 'tenths', h: 'tenths' },
      { dmodulation: 1 },
      { rows: TERMS, cols: 1, mod_rows: TERMS, mod_stride: 1, gate_offset: 0 },
      SQUARES,
    ],
  ),
  [
    'pool',
    { kind: 'mean' },
    { x: 'tenths' },
    { y: 1 },
    {
      batch: 1,
      height: 10,
      width: TERMS / 10,
      channels: 1,
      kernel_h: 10,
      kernel_w: TERMS / 10,
      stride: 1,
      pad_h: 0,
      pad_w: 0,
      out_h: 1,
      out_w: 1,
    },
    VALUE,
  ],
  [
    'embeddingBackward',
    undefined,
    { index: new Uint32Array(TERMS), dout: 'tenths' },
    { dtable: 1 },
    { rows: 1, cols: 1, count: TERMS },
    SUM,
  ],
  [
    'matmul',
    { layout: 'nt', bias: true, act: 'relu', tile: { kind: 'plain', tm: 1, tn: 4, wgX: 1, wgY: 1, runs: true } },
    { a: 'tenths', b: 'tenths', bias: [1000] },
    { out: 1 },
    { m: 1, n: 1, k: TERMS },
    SQUARES + 1000, // the epilogue once, not once a run
  ],
];

describe('a sum of 1e7 terms is right to 1e-4', () => {
  it.each(sums)('%s %o', async (name, options, inputs, outputs, dims, wanted) => {
    const got = Object.values(await run(name, options, inputs, outputs, dims))[0]?.[0] as number;
    const error = Math.abs(got - wanted) / (wanted === 0 ? 1 : wanted);
    expect(error).toBeLessThan(1e-4);
  });
});

describe('rows whose mean is large beside their spread are normalised', () => {
  const cols = 96;
  const steps = Array.from({ length: cols }, (_, i) => (i * 5) % 16);
  const centre = steps.reduce((sum, v) => sum + v, 0) / cols;
  const scale = Math.sqrt(steps.reduce((sum, v) => sum + (v - centre) ** 2, 0) / cols);
  const norm = { rows: 1, cols, eps: 0 };
  const heads = { batch: 1, n: 1, heads: 1, head_dim: cols, eps: 0 };
  const qkv = (x: number[]) => [...x, ...x, ...x];
  const all = { q: cols, k: cols, v: cols };

  it.each([0, 1e3, 1e5])('about %f', async (mean) => {
    const x = steps.map((v) => mean + v / 64); // exact in f32
    const results = [
      (await run('norm', { kind: 'layer', stats: false, tile: { lanes: 1, rows: 8 } }, { x }, { y: cols }, norm)).y,
      (await run('norm', { kind: 'layer', stats: false, tile: { lanes: 16, rows: 4 } }, { x }, { y: cols }, norm)).y,
      (await run('qkNormRope', { norm: 'layer' }, { qkv: qkv(x) }, all, heads)).q,
      (await run('qkNormRope', { norm: 'layer', tile: { lanes: 24, rows: 10 } }, { qkv: qkv(x) }, all, heads)).k,
    ];
    for (const y of results)
      steps.forEach((v, i) => void expect(Math.abs((y?.[i] as number) - (v - centre) / scale)).toBeLessThan(1e-3));
  });
});

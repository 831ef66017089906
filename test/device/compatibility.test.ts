/**
 * Every kernel on a device of WebGPU's compatibility level, which allows a workgroup 128 invocations: as the CPU adapter that it is,
 * and as a GPU, which takes other tiles.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { restWhileWaiting } from '../../src/device/rests.node.ts';
import { capsOf } from '../../src/kernel/index.ts';
import * as kernels from '../../src/kernels/index.ts';
import {
  chooseNorm,
  chooseSoftmax,
  KernelError,
  type KernelFamily,
  type ShaderSource,
} from '../../src/kernels/index.ts';
import * as shaders from '../../src/shaders.generated.ts';
import { type KernelCase, missingFeatures, type PreparedCase } from '../catalogue/case.ts';
import { catalogue } from '../catalogue/index.ts';
import { normCase } from '../catalogue/norm.ts';
import { normBackwardXCase } from '../catalogue/norm_backward.ts';
import { qkNormRopeBackwardCase, qkNormRopeCase } from '../catalogue/qk_norm_rope.ts';
import { runCase } from '../catalogue/run.ts';
import { crossEntropyCase, softmaxCase } from '../catalogue/softmax.ts';

/** Bytes that a case moves at most where its variant has such a case. */
const MOST = 60_000;

/**
 * Shaders that no case reaches: what the bench measures ceilings with, the product in tiles of 256 invocations, refused below, and those
 * of subgroup matrices, which such devices do not have.
 */
const MATRICES = [
  'matmul_matrix',
  'matmul_f32x3',
  'conv2d_matrix',
  'conv2d_bwd_weight_matrix',
  'conv_halves', // what those read, f16 alone
  'attention_matrix_fwd',
  'attention_matrix_bwd_kv',
  'attention_matrix_bwd_q',
];
const NOT_RUN = ['ceiling_copy', 'ceiling_fma', 'ceiling_matrices', 'matmul_tiled', ...MATRICES];

/** Shaders that a GPU may leave to CPUs, and a CPU to GPUs. */
const PLAIN = [
  'matmul_plain',
  'attention_fwd_plain',
  'attention_bwd_q_plain',
  'attention_bwd_kv_plain',
  'conv2d_plain',
  'conv2d_bwd_weight_plain',
];
const TILED = [
  'conv2d_tiled',
  'conv2d_bwd_weight_tiled',
  'attention_tiled_fwd',
  'attention_tiled_bwd_q',
  'attention_tiled_bwd_kv',
  'attention_tiled_bwd_q_stored',
  'qk_norm_rope_lanes_fwd',
  'qk_norm_rope_lanes_bwd',
];

/** As plain JavaScript calls it. */
const families = kernels as unknown as { [name: string]: KernelFamily<ShaderSource, unknown> };

let dawn: GPU;

async function compatible(info?: Partial<GPUAdapterInfo>): Promise<GPUDevice> {
  const adapter = (await dawn.requestAdapter({ featureLevel: 'compatibility' })) as GPUAdapter;
  const device = await adapter.requestDevice();
  if (info) Object.defineProperty(device, 'adapterInfo', { value: info });
  return device;
}

/** Of each variant the largest small case that leaves the tiling to the device: past the end of a workgroup where there is one. */
function variants(): Map<string, KernelCase[]> {
  const best = new Map<string, Map<string, KernelCase>>();
  for (const kase of catalogue) {
    if (kase.benchOnly || kase.forced) continue;
    const known = best.get(kase.kernel) ?? new Map<string, KernelCase>();
    best.set(kase.kernel, known);
    const old = known.get(kase.variant);
    const better =
      kase.bytes <= MOST ? !old || old.bytes > MOST || kase.bytes > old.bytes : kase.bytes < (old?.bytes ?? Infinity);
    if (better) known.set(kase.variant, kase);
  }
  return new Map([...best].map(([kernel, known]) => [kernel, [...known.values()]]));
}

/** The variants with the fewest parts and the most: what else a kernel computes does not depend on the workgroup. */
function leastAndMost(cases: readonly KernelCase[]): KernelCase[] {
  const byLength = [...cases].sort((a, b) => a.variant.length - b.variant.length);
  return [...new Set([byLength[0], byLength.at(-1)])] as KernelCase[];
}

/** Rows so wide that a GPU gives one a whole workgroup, and heads that its invocations share. */
function more(device: GPUDevice): KernelCase[] {
  const [rows, cols] = [3, 1025];
  const norm = chooseNorm(cols, capsOf(device));
  const tile = chooseSoftmax(cols, capsOf(device));
  return [
    normCase('layer', ['weight', 'bias', 'stats'], rows, cols, 1, norm),
    normBackwardXCase('layer', ['weight'], { rows, cols }, norm),
    softmaxCase(false, { rows, cols, tile }),
    softmaxCase(true, { rows, cols, tile }),
    crossEntropyCase(false, { rows, cols, tile }),
    qkNormRopeCase([1, 5, 3, 64], { norm: 'rms', rope: 'any', lanes: true }),
    qkNormRopeBackwardCase([1, 5, 3, 64], { norm: 'rms', rope: 'any', lanes: true }),
  ];
}

/** Runs the cases, all compiled before the first runs; gives what went wrong by case, and the shaders that ran. */
async function run(device: GPUDevice, cases: readonly KernelCase[]) {
  const wrong: string[] = [];
  const ran = new Set<string>();
  const ready: [KernelCase, PreparedCase][] = [];
  for (const kase of cases) {
    try {
      if (missingFeatures(kase, device).length === 0) ready.push([kase, kase.prepare(device)]);
    } catch (error) {
      wrong.push(`${kase.kernel} ${kase.name}: ${(error as Error).message}`);
    }
  }
  for (const [kase, prepared] of ready) {
    try {
      await runCase(device, kase, prepared); // throws where the error is past the tolerance
      ran.add(prepared.kernel.name);
    } catch (error) {
      wrong.push(`${kase.kernel} ${kase.name}: ${(error as Error).message}`);
    }
  }
  return { wrong, ran: [...ran].sort() };
}

describe('a device of the compatibility level', () => {
  let cpu: GPUDevice;
  let gpu: GPUDevice;

  beforeAll(async () => {
    Object.assign(globalThis, globals);
    dawn = create([]);
    restWhileWaiting();
    cpu = await compatible();
    gpu = await compatible({ vendor: '', architecture: '', device: '', description: '' });
  });

  afterAll(() => {
    cpu.destroy();
    gpu.destroy();
  });

  it('allows 128 invocations', () => {
    expect(capsOf(cpu)).toMatchObject({ maxWorkgroupSize: 128, software: true });
    expect(capsOf(gpu)).toMatchObject({ maxWorkgroupSize: 128, software: false });
  });

  it('runs every kernel with the tiles of a GPU, and none is refused', async () => {
    const { wrong, ran } = await run(gpu, [...[...variants().values()].flatMap(leastAndMost), ...more(gpu)]);
    expect(wrong).toEqual([]);
    expect(new Set([...ran, ...NOT_RUN, ...PLAIN])).toEqual(new Set(Object.keys(shaders)));
  }, 300_000);

  it('runs every kernel with the tiles of a CPU, and none is refused', async () => {
    const { wrong, ran } = await run(
      cpu,
      [...variants().values()].map((cases) => leastAndMost(cases)[0] as KernelCase),
    );
    expect(wrong).toEqual([]);
    expect(new Set([...ran, ...NOT_RUN, ...TILED])).toEqual(new Set(Object.keys(shaders)));
  }, 300_000);

  // What is left: tilings of a caller's own that are larger than the device allows.
  it.each<[string, unknown, string]>([
    ['matmul', { layout: 'nn', tile: { kind: 'plain', tm: 4, tn: 4, wgX: 16, wgY: 16 } }, '16 x 16'],
    ['attention', { headDim: 8, tile: { rows: 256 } }, '256'],
    ['attentionBackwardQ', { headDim: 8, tile: { rows: 256 } }, '256'],
    ['attentionBackwardKV', { headDim: 8, tile: { rows: 256 } }, '256'],
    ['norm', { kind: 'layer', tile: { lanes: 64, rows: 4 } }, '64 x 4'],
    ['normBackwardX', { kind: 'layer', tile: { lanes: 256, rows: 1 } }, '256 x 1'],
    ['qkNormRope', { norm: 'rms', tile: { lanes: 16, rows: 16 } }, '16 x 16'],
    ['qkNormRopeBackward', { norm: 'rms', tile: { lanes: 16, rows: 16 } }, '16 x 16'],
    ['softmax', { tile: { lanes: 16, rows: 16 } }, '16 x 16'],
    ['softmaxBackward', { tile: { lanes: 16, rows: 16 } }, '16 x 16'],
    ['crossEntropy', { tile: { lanes: 16, rows: 16 } }, '16 x 16'],
    ['sumRows', { tile: { lanes: 64, rows: 4 } }, '64 x 4'],
    ['lossForward', { cosine: false, tile: { lanes: 256 } }, '256'],
    ['lossTotal', { tile: { lanes: 256 } }, '256'],
  ])('refuses %s %j', async (name, options, size) => {
    for (const device of [cpu, gpu]) {
      await expect((families[name] as (typeof families)[string]).create(device, options)).rejects.toMatchObject({
        code: 'limit',
        message: expect.stringContaining(`needs a workgroup of ${size} invocations; the device allows 128`),
      });
    }
  });

  it.each<[string, object]>([
    ['sumCols', {}],
    ['normBackwardModulation', { shift: true }],
    ['normBackwardWeight', {}],
    ['gatedResidualBackwardGate', {}],
  ])('refuses %s with 256 lanes a column', async (name, options) => {
    const family = families[name] as (typeof families)[string];
    await expect(family.create(gpu, { ...options, tile: { lanes: 256 } })).rejects.toMatchObject({
      code: 'limit',
      message: expect.stringContaining('tile.lanes is 256; the device allows a workgroup 128'),
    });
    await family.create(gpu, { ...options, tile: { lanes: 128 } });
  });
});

describe('a device of 4 storage buffers a kernel', () => {
  it('refuses a variant that binds more, and runs one that does not', async () => {
    const device = await compatible();
    const limits: Record<string, number> = {};
    for (const name in device.limits) limits[name] = device.limits[name as keyof GPUSupportedLimits] as number;
    Object.defineProperty(device, 'limits', { value: { ...limits, maxStorageBuffersPerShaderStage: 4 } });
    const ask = (name: string, options: unknown) =>
      (families[name] as (typeof families)[string]).create(device, options);
    await ask('matmul', { layout: 'nn', bias: true });
    await ask('norm', { kind: 'layer', weight: true });
    for (const [name, options, buffers] of [
      ['matmul', { layout: 'nn', bias: true, residual: true }, 5],
      ['norm', { kind: 'layer', weight: true, bias: true }, 5],
      ['adamStep', {}, 6],
      ['attentionBackwardKV', { headDim: 8 }, 7],
    ] as const) {
      const error = await ask(name, options).catch((e: unknown) => e);
      expect(error).toBeInstanceOf(KernelError);
      expect(error).toMatchObject({ code: 'limit' });
      expect((error as Error).message).toContain(`binds ${buffers} storage buffers; the device allows 4`);
    }
    device.destroy();
  });
});

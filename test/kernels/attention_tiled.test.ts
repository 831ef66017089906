import { describe, expect, it } from 'vitest';
import { readBuffer } from '../../src/device/index.ts';
import { type Kernel, PORTABLE, type ShaderSource } from '../../src/kernel/index.ts';
import {
  type AttentionOptions,
  type AttentionShape,
  type AttentionTile,
  attention,
  attentionBackwardKV,
  attentionBackwardQ,
  attentionDelta,
  attentionDims,
  chooseAttention,
  storesScores,
} from '../../src/kernels/attention.ts';
import { SMALL_TILE, tiledFeatureCases } from '../catalogue/attention.ts';
import { type KernelCase, type PreparedCase, prepared } from '../catalogue/case.ts';
import { bindCase, runCase } from '../catalogue/run.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';
import { kernelSuite } from './suite.ts';

type Outputs = { [binding: string]: Float32Array };
type Forward = Record<'q' | 'k' | 'v' | 'dout' | 'out' | 'lse' | 'rows', Float32Array>;

/** Runs a kernel by itself and returns what it wrote. */
async function outputsOf(device: GPUDevice, run: PreparedCase): Promise<Outputs> {
  await run.kernel.ready;
  const { buffers, destroy } = bindCase(device, run);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  run.kernel.encode(pass, run.kernel.bind(buffers as never, run.dims as never));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const read: Outputs = {};
  for (const [name, length] of Object.entries(run.outputs))
    read[name] = new Float32Array(await readBuffer(device, buffers[name] as GPUBuffer), 0, length);
  destroy();
  return read;
}

const size = (s: AttentionShape) => s.batch * s.heads * s.n * s.head_dim;
const withScale = (s: AttentionShape, factor = 1) => attentionDims(s, { scale: factor / Math.sqrt(s.head_dim) });

/** The three kernels on one problem, whichever the variant. */
function forwardRun(
  device: GPUDevice,
  s: AttentionShape,
  f: Forward,
  o: AttentionOptions,
  factor?: number,
): PreparedCase {
  const outputs = { out: size(s), lse: size(s) / s.head_dim };
  return prepared(attention.prepare(device, o), withScale(s, factor), {
    inputs: { q: f.q, k: f.k, v: f.v },
    outputs,
    oracle: () => ({}),
  });
}

function backwardRuns(
  device: GPUDevice,
  s: AttentionShape,
  f: Forward,
  o: AttentionOptions,
  factor?: number,
): PreparedCase[] {
  const inputs = { q: f.q, k: f.k, v: f.v, dout: f.dout, rows: f.rows };
  const run = (kernel: Kernel, ...names: string[]) =>
    prepared(kernel, withScale(s, factor), {
      inputs,
      outputs: Object.fromEntries(names.map((name) => [name, size(s)])),
      oracle: () => ({}),
    });
  const kv = attentionBackwardKV.prepare(device, o) as unknown as Kernel<ShaderSource>;
  return [run(attentionBackwardQ.prepare(device, o) as unknown as Kernel<ShaderSource>, 'dq'), run(kv, 'dk', 'dv')];
}

/** With one key p is 1: the gradients of q and k are 0, of which the plain kernels compute some rounding. */
function exactly(shape: AttentionShape, wanted: Outputs): Outputs {
  if (shape.n > 1) return wanted;
  const zeros = new Float32Array(size(shape));
  return { ...wanted, ...(wanted.dq && { dq: zeros }), ...(wanted.dk && { dk: zeros }) };
}

/** Every output of the tiled kernels against the plain ones on the same inputs; the worst relative error. */
async function compare(shape: AttentionShape, tile: AttentionTile, factor?: number): Promise<number> {
  const device = await testDevice();
  const plain = { headDim: shape.head_dim, tile: { kind: 'plain', rows: 8, rolled: true } } as const;
  const [q, k, v, dout] = [1, 2, 3, 4].map((seed) => Float32Array.from(randn(size(shape), seed))) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const empty = new Float32Array();
  const f: Forward = { q, k, v, dout, out: empty, lse: empty, rows: empty };
  Object.assign(f, await outputsOf(device, forwardRun(device, shape, f, plain, factor)));
  const delta = { inputs: { out: f.out, dout, lse: f.lse }, outputs: { rows: 2 * f.lse.length }, oracle: () => ({}) };
  const { head_dim: value_dim, ...counts } = shape;
  Object.assign(f, await outputsOf(device, prepared(attentionDelta.prepare(device), { ...counts, value_dim }, delta)));
  const wanted: Outputs[] = [{ out: f.out, lse: f.lse }];
  for (const run of backwardRuns(device, shape, f, plain, factor)) wanted.push(await outputsOf(device, run));

  const tiled = { headDim: shape.head_dim, tile };
  const runs = [forwardRun(device, shape, f, tiled, factor), ...backwardRuns(device, shape, f, tiled, factor)];
  let worst = 0;
  for (const [i, run] of runs.entries()) {
    const kase: KernelCase = {
      kernel: run.kernel.name,
      name: Object.values(shape).join('x'),
      variant: 'tiled',
      shape: Object.values(shape),
      tolerance: 2e-6 * Math.max(1, factor ?? 1),
      toleranceFrom:
        'f32 rounding in both variants: scores of head_dim terms and exp of them (an error that grows with the scores), sums of n terms in another order',
      flops: 0,
      bytes: 0,
      prepare: () => ({ ...run, oracle: () => exactly(shape, wanted[i] as Outputs) }),
    };
    worst = Math.max(worst, (await runCase(device, kase)).error);
  }
  return worst;
}

kernelSuite('attention tiled', tiledFeatureCases);

describe('attention tiled against plain', () => {
  const shapes: AttentionShape[] = [
    { batch: 5, heads: 3, n: 1, head_dim: 8 },
    { batch: 3, heads: 2, n: 3, head_dim: 8 },
    { batch: 2, heads: 3, n: 41, head_dim: 8 },
    { batch: 1, heads: 2, n: 113, head_dim: 8 },
    { batch: 1, heads: 1, n: 257, head_dim: 8 },
    { batch: 2, heads: 3, n: 41, head_dim: 41 },
    { batch: 1, heads: 2, n: 113, head_dim: 72 },
  ];
  for (const shape of shapes) {
    it(Object.values(shape).join('x'), async () => {
      const worst = await compare(shape, SMALL_TILE);
      console.log(`attention tiled ${Object.values(shape).join('x')}: worst relative error ${worst.toExponential(1)}`);
    });
  }

  it('scores up to 200, whose exponentials alone would overflow', async () => {
    await compare({ batch: 1, heads: 2, n: 70, head_dim: 8 }, SMALL_TILE, 40);
  });

  it('is chosen on a PORTABLE from 16 tokens on, plain below', () => {
    const shape = { batch: 256, heads: 8, n: 256, head_dim: 72 };
    expect(chooseAttention(shape, PORTABLE)).toEqual({ kind: 'tiled', rows: 64, cols: 64, lanes: 16 });
    expect(chooseAttention({ ...shape, n: 8 }, PORTABLE)).toMatchObject({ kind: 'plain' });
    expect(chooseAttention({ ...shape, keys: 8 }, PORTABLE)).toMatchObject({ rows: 64, cols: 64 });
    expect(chooseAttention({ ...shape, n: 32 }, PORTABLE)).toMatchObject({ rows: 32, cols: 32, lanes: 8 });
    expect(chooseAttention({ ...shape, head_dim: 128 }, PORTABLE)).toMatchObject({ rows: 32, cols: 64 });
    expect(chooseAttention({ ...shape, batch: 2 }, PORTABLE)).toMatchObject({ rows: 32, cols: 64 });
    expect(chooseAttention({ ...shape, value_dim: 129 }, PORTABLE)).toMatchObject({ kind: 'plain', rolled: true });
  });

  it('unrolls small heads on a CPU adapter where there is enough to do for the compiling', () => {
    const software = { ...PORTABLE, software: true };
    const shape = { batch: 32, heads: 4, n: 49, head_dim: 16 };
    expect(chooseAttention(shape, software)).toEqual({ kind: 'plain', rows: 8, each: 4 });
    expect(chooseAttention({ ...shape, batch: 2 }, software)).toMatchObject({ rolled: true });
    expect(chooseAttention({ ...shape, value_dim: 20 }, software)).toMatchObject({ rolled: true });
  });

  it('stores gradients by scores on a GPU, as far as a buffer that every device has holds them', () => {
    const shape = { batch: 64, heads: 6, n: 256, head_dim: 64 };
    expect(storesScores(shape, PORTABLE)).toBe(true);
    expect(storesScores({ ...shape, n: 1024 }, PORTABLE)).toBe(false);
    expect(storesScores({ ...shape, head_dim: 256 }, PORTABLE)).toBe(false);
    expect(storesScores(shape, { ...PORTABLE, software: true })).toBe(false);
  });

  it.each([
    [{ rows: 64, cols: 32, lanes: 16 }, '16 lanes have 32 columns'],
    [{ rows: 64, cols: 128, lanes: 8 }, '8 lanes have 128 columns'],
  ] as const)('refuses %j, whose lanes have no whole quads of columns, or too many', async (tile, message) => {
    const device = await testDevice();
    expect(() => attention.prepare(device, { headDim: 8, tile: { kind: 'tiled', ...tile } })).toThrow(message);
  });

  it('refuses heads past what a tile holds', async () => {
    const device = await testDevice();
    expect(() => attention.prepare(device, { headDim: 129, tile: SMALL_TILE })).toThrow('heads of up to 128');
  });
});

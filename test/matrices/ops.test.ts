/** Ops as they ask for products and attention on subgroup matrices, which are emulated, against the same ops in f32. */
import { expect, it, vi } from 'vitest';
import { swiglu } from '../../src/autograd/ops/activation.ts';
import { attention } from '../../src/autograd/ops/attention.ts';
import { linear, linearGatedResidual, linearSwiglu } from '../../src/autograd/ops/linear.ts';
import { Tape } from '../../src/autograd/tape.ts';
import { float32ToHalf } from '../../src/kernel/index.ts';
import type { MatrixMatmulOptions } from '../../src/kernels/matmul_matrix.ts';
import { count, type PassPrecision, type Tensor, Workspace } from '../../src/tensor/index.ts';
import { chunk, get, type Inputs } from '../autograd/op_case.ts';
import { halves } from '../catalogue/case.ts';
import { relativeError } from '../catalogue/run.ts';
import { openDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

/** The families over emulated shaders, which import the modules that they stand for: put in their place when all are there. */
const emulated = vi.hoisted(() => ({}) as typeof import('./emulated.ts'));

vi.mock('../../src/kernels/matmul_matrix.ts', async (original) => {
  const real = await original<typeof import('../../src/kernels/matmul_matrix.ts')>();
  const prepare = (device: GPUDevice, options: MatrixMatmulOptions) => {
    const { tile } = options;
    const small = tile?.kind === 'matrix' && { tile: { ...tile, tm: 2 as const, tn: 2 as const } };
    return emulated.emulatedMatmul.prepare(device, { ...options, ...small });
  };
  return { ...real, matrixMatmul: { prepare } };
});

vi.mock('../../src/kernels/attention_matrix.ts', async (original) => {
  const real = await original<typeof import('../../src/kernels/attention_matrix.ts')>();
  const of = (part: 'forward' | 'backward' | 'backwardQ') => ({
    prepare: (device: GPUDevice, options: never) => emulated.emulatedAttention[part].prepare(device, options),
  });
  return {
    ...real,
    matrixAttention: of('forward'),
    matrixAttentionBackward: of('backward'),
    matrixAttentionBackwardQ: of('backwardQ'),
  };
});

Object.assign(emulated, await import('./emulated.ts'));

const MATRICES = {
  f16: true,
  subgroups: { least: 32, most: 32 },
  matrices: [{ components: 'f16', result: 'f32', m: 16, n: 16, k: 16 }],
};

interface Case {
  readonly name: string;
  readonly precision: PassPrecision;
  /** Inputs of random numbers, and those of them that are stored as f16. */
  readonly shapes: { readonly [name: string]: readonly number[] };
  readonly halves: readonly string[];
  readonly build: (tape: Tape, i: Inputs) => Tensor;
  readonly kernels: readonly string[];
  readonly without?: readonly string[];
  /** Of the result and of each gradient: two roundings to f16, or what f32x3 allows. */
  readonly tolerance: number;
}

const ROUNDINGS = 2 * 2 ** -11;
const line = { x: [2, 20, 24], w: [16, 24], b: [16] };

const CASES: Case[] = [
  {
    name: 'f32x3: linear',
    precision: 'f32x3',
    shapes: line,
    halves: [],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
    kernels: ['matmul_f32x3', 'largest'],
    tolerance: 2e-6,
  },
  {
    name: 'mixed: linear',
    precision: 'mixed',
    shapes: line,
    halves: ['x', 'w'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
    kernels: ['matmul_matrix'],
    tolerance: ROUNDINGS,
  },
  {
    name: 'mixed: linear of rows enough for a split of k, and for more chunks of the sums of columns',
    precision: 'mixed',
    shapes: { x: [1100, 24], w: [16, 24], b: [16] },
    halves: ['x'],
    build: (t, i) => linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
    kernels: ['matmul_matrix', 'sum_cols'],
    tolerance: ROUNDINGS,
  },
  {
    name: 'mixed: linear with SwiGLU',
    precision: 'mixed',
    shapes: { x: [2, 20, 24], w: [44, 24], b: [44] },
    halves: ['x', 'w'],
    build: (t, i) => linearSwiglu(t, get(i, 'x'), get(i, 'w'), get(i, 'b')),
    kernels: ['matmul_matrix', 'swiglu_bwd'],
    without: ['swiglu_fwd'],
    tolerance: 2 * ROUNDINGS, // the gradient of both factors is rounded too
  },
  {
    name: 'mixed: linear with a gated residual',
    precision: 'mixed',
    shapes: { x: [2, 20, 24], w: [16, 24], b: [16], r: [2, 20, 16], m: [2, 40] },
    halves: ['x', 'w', 'r'],
    build: (t, i) => linearGatedResidual(t, get(i, 'x'), get(i, 'w'), get(i, 'b'), get(i, 'r'), chunk(i, 8, 20)),
    kernels: ['matmul_matrix'],
    tolerance: ROUNDINGS,
  },
  {
    name: 'mixed: attention',
    precision: 'mixed',
    shapes: { q: [1, 2, 20, 16], k: [1, 2, 24, 16], v: [1, 2, 24, 16] },
    halves: ['q', 'k', 'v'],
    build: (t, i) => attention(t, get(i, 'q'), get(i, 'k'), get(i, 'v')),
    kernels: ['attention_matrix_fwd', 'attention_matrix_bwd_kv', 'attention_matrix_bwd_q'],
    tolerance: 3 * ROUNDINGS, // weights and gradients by scores are rounded too
  },
];

/** With more workgroup memory than by default, as devices with subgroup matrices have. */
let device: Promise<GPUDevice> | undefined;

/** The result of an op and its gradients, on subgroup matrices as the case says or in f32 without. */
async function run(kase: Case, precision: PassPrecision) {
  device ??= openDevice({});
  const workspace = new Workspace(await device);
  if (precision !== 'f32')
    Object.defineProperty(workspace, 'caps', { value: { ...workspace.caps, ...MATRICES, maxWorkgroupMemory: 32768 } });
  const kernels = new Set<string>();
  const record = workspace.stream.run;
  workspace.stream.run = (kernel, buffers, dims) => {
    kernels.add(kernel.name);
    record.call(workspace.stream, kernel as never, buffers as never, dims as never);
  };
  workspace.beginStep();
  const tape = new Tape(workspace, { record: true, precision });
  const put = (shape: readonly number[], seed: number, dtype: 'f32' | 'f16', rounded: boolean) => {
    const tensor = workspace.arena.alloc(shape, dtype);
    const numbers = Float32Array.from(randn(count(shape), seed));
    const given = rounded ? halves(numbers) : numbers;
    workspace.stream.write(tensor, dtype === 'f16' ? float32ToHalf(given) : given);
    return tensor;
  };
  const inputs: { [name: string]: Tensor } = {};
  Object.entries(kase.shapes).forEach(([name, shape], i) => {
    const half = kase.halves.includes(name);
    inputs[name] = tape.watch(put(shape, i + 11, half ? tape.dtype : 'f32', half));
  });
  const out = kase.build(tape, inputs);
  workspace.arena.retain(out);
  tape.backward(out, put(out.shape, 5, out.dtype as 'f32' | 'f16', kase.precision === 'mixed'));
  const results = new Map([['y', await workspace.read(out)]]);
  for (const name of Object.keys(kase.shapes))
    results.set(`d${name}`, await workspace.read(tape.gradient(inputs[name] as Tensor)));
  await workspace.dispose();
  return { results, kernels };
}

it('mixed: linear with SwiGLU is what a product and a SwiGLU give', async () => {
  const fused = CASES.find(({ name }) => name === 'mixed: linear with SwiGLU') as Case;
  const unfused: Case = {
    ...fused,
    build: (t, i) => swiglu(t, linear(t, get(i, 'x'), get(i, 'w'), get(i, 'b'))),
  };
  const [ours, plain] = [await run(fused, 'mixed'), await run(unfused, 'mixed')];
  expect(plain.kernels).toContain('swiglu_fwd');
  // The same pre-activation, so the same bits of all gradients; the result is rounded once, there twice.
  for (const [name, wanted] of plain.results) {
    if (name !== 'y') expect(ours.results.get(name), name).toEqual(wanted);
    else expect(relativeError(ours.results.get(name) as Float32Array, wanted), name).toBeLessThan(ROUNDINGS);
  }
});

for (const kase of CASES)
  it(kase.name, async () => {
    const [ours, exact] = [await run(kase, kase.precision), await run(kase, 'f32')];
    expect([...ours.kernels]).toEqual(expect.arrayContaining([...kase.kernels]));
    for (const name of kase.without ?? []) expect(ours.kernels, name).not.toContain(name);
    for (const [name, wanted] of exact.results) {
      const error = relativeError(ours.results.get(name) as Float32Array, wanted);
      console.log(`${kase.name}: ${name} ${error.toExponential(1)}`);
      expect(error, name).toBeLessThan(kase.tolerance);
    }
  });

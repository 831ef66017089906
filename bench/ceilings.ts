import { readBuffer } from '../src/device/index.ts';
import { type Caps, capsOf, defineKernel, type Kernel } from '../src/kernel/index.ts';
import { hasMatrices } from '../src/kernels/matmul_matrix.ts';
import * as shaders from '../src/shaders.generated.ts';
import type { Suite } from './suite.ts';
import { type Timing, timeDispatch, warm } from './time.ts';

/** What this device reaches when it only copies, and when it only multiplies and adds: the highest of several ways. */
export interface Ceilings {
  readonly gbps: number;
  /** In f32. */
  readonly tflops: number;
  /** In f16, by vectors; absent without shader-f16. */
  readonly f16Tflops?: number;
  /** Products of f16 into f32 on subgroup matrices; absent where the device has none. */
  readonly matrixTflops?: number;
}

/**
 * The rate of multiplying and adding that a kernel is held against, by its name: products on subgroup matrices against theirs, of which
 * f32x3 takes three for one of f32; all others multiply in f32, whatever their operands are stored as.
 */
export function multiplyCeiling(kernel: string, { tflops, matrixTflops = tflops }: Ceilings): number {
  if (kernel.startsWith('matmul_f32x3')) return matrixTflops / 3;
  return /_matrix(?![a-z])/.test(kernel) ? matrixTflops : tflops;
}

/** A way to a ceiling, and how far it got. */
export interface CeilingResult extends Timing {
  readonly case: string;
  readonly kernel: string;
  readonly variant: string;
  /** What is multiplied; sums on subgroup matrices are f32. */
  readonly dtype: 'f32' | 'f16';
  readonly shape: readonly number[];
  readonly flops: number;
  readonly bytes: number;
  readonly tflops: number;
  readonly gbps: number;
  readonly maxRelErr: number;
}

interface CopyWay {
  readonly wg: number;
  readonly per: number;
}

interface FmaWay {
  readonly wg: number;
  readonly chains: number;
  readonly dtype: 'f32' | 'f16';
}

/** Matrices on the left and on the right of the products of a subgroup. */
export interface MatrixWay {
  readonly tm: 2 | 4;
  readonly tn: 2 | 4;
}

const copy = defineKernel({
  shader: shaders.ceiling_copy,
  knobs: (way: CopyWay) => ({ WG: way.wg, PER: way.per }),
  sizes: (d) => ({ x: 4 * d.count, y: 4 * d.count }),
  grid: (d, { WG, PER }) => Math.ceil(d.count / (Number(WG) * Number(PER))),
});

const fma = defineKernel({
  shader: shaders.ceiling_fma,
  knobs: ({ wg, chains, dtype }: FmaWay) => ({
    WG: wg,
    CHAINS: chains,
    Scalar: dtype,
    Vector: dtype === 'f16' ? 'vec4h' : 'vec4f',
  }),
  sizes: (d) => ({ y: d.count }),
  grid: (d, { WG }) => Math.ceil(d.count / Number(WG)),
});

/** The family over a text of its shader: a test gives one that emulates subgroup matrices. */
export const matrixCeiling = (shader: typeof shaders.ceiling_matrices) =>
  defineKernel({
    shader,
    knobs: ({ tm, tn }: MatrixWay) => ({ TM: tm, TN: tn }),
    sizes: (d) => ({ y: d.count }),
    grid: (d) => Math.ceil(d.count / INVOCATIONS),
  });

/** Invocations a workgroup, four subgroups. */
const INVOCATIONS = 128;
const matrices = matrixCeiling(shaders.ceiling_matrices);

/** What every invocation of `ceiling_matrices` writes. */
export const matrixTotal = ({ tm, tn }: MatrixWay, rounds: number): number =>
  (16 * rounds * tm * (tm + 1) * tn * (tn + 1)) / 4;

const STORAGE = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC
/** By which the chains come nearer to 1 a round; halves are at 1 after some ten. */
const FACTORS = { f32: 0.999, f16: 0.5 };

/** The ways to the ceilings, by name. On a GPU a dispatch moves 256 MiB, past the caches, or does a millisecond of 60 TFLOP/s, on matrices 550. */
export function ceilingCases(device: GPUDevice, software: boolean): ReadonlyMap<string, () => Promise<CeilingResult>> {
  const elements = (software ? 8 : 128) * 2 ** 16;
  const cases = new Map<string, () => Promise<CeilingResult>>();
  for (const per of software ? [4] : [1, 2, 4, 8]) {
    const name = `ceiling copy ${per} vec4 an invocation`;
    cases.set(name, () => measureCopy(device, name, { wg: 256, per }, elements));
  }
  // Few workgroups that do much leave their last wave half empty; many that do little start more often.
  const shapes = software ? [[64, 12]] : [64, 256].flatMap((wg) => [18, 20, 22].map((log) => [wg, log]));
  const caps: Caps = capsOf(device);
  for (const dtype of caps.f16 ? (['f32', 'f16'] as const) : (['f32'] as const)) {
    const operations = software ? { f32: 2 ** 29, f16: 2 ** 25 }[dtype] : 2 ** 36; // a CPU converts halves
    for (const chains of software ? { f32: [2, 4, 8], f16: [4] }[dtype] : [4, 8, 16]) {
      for (const [wg, log] of shapes as [number, number][]) {
        const name = `ceiling fma ${chains} chains 2^${log} by ${wg}${dtype === 'f16' ? ' f16' : ''}`;
        cases.set(name, () => measureFma(device, name, { wg, chains, dtype }, 2 ** log, operations));
      }
    }
  }
  if (hasMatrices(caps)) {
    for (const [tm, tn] of [
      [2, 2],
      [2, 4],
      [4, 4],
    ] as const)
      for (const log of [10, 12]) {
        const name = `ceiling matrices ${tm} x ${tn} by 2^${log}`;
        cases.set(name, () => measureMatrices(device, name, { tm, tn }, 2 ** log));
      }
  }
  return cases;
}

/** The ways to the ceilings as a suite: which is the best on this device. */
export function ceilingSuite(device: GPUDevice, filter: RegExp, software: boolean): Suite<CeilingResult> {
  return {
    columns: '        ms  TFLOP/s     GB/s  case',
    cases: new Map([...ceilingCases(device, software)].filter(([name]) => filter.test(name))),
    rows: (r) => [
      `${r.ms.toFixed(4).padStart(10)} ${r.tflops.toFixed(3).padStart(8)} ${r.gbps.toFixed(1).padStart(8)}  ${r.case}`,
    ],
    summary: (results) => [ceilingsLine(highest(results))],
  };
}

/** Measures all ways to both ceilings, and keeps the highest; also warms the device up. */
export async function measureCeilings(device: GPUDevice, software: boolean): Promise<Ceilings> {
  const results: CeilingResult[] = [];
  for (const measure of ceilingCases(device, software).values()) results.push(await measure());
  return highest(results);
}

/** The highest rates among results. */
export function highest(results: readonly CeilingResult[]): Ceilings {
  const most = (of: (r: CeilingResult) => boolean) => Math.max(0, ...results.filter(of).map((r) => r.tflops));
  const onMatrices = ({ kernel }: CeilingResult) => kernel === 'ceiling_matrices';
  const [f16, matrix] = [most((r) => !onMatrices(r) && r.dtype === 'f16'), most(onMatrices)];
  return {
    gbps: Math.max(0, ...results.map((r) => r.gbps)),
    tflops: most((r) => r.dtype === 'f32'),
    ...(f16 > 0 && { f16Tflops: f16 }),
    ...(matrix > 0 && { matrixTflops: matrix }),
  };
}

/** The rates of multiplying and adding that there are, with what each is of. */
export function multiplyRates({ tflops, f16Tflops, matrixTflops }: Ceilings): (readonly [of: string, rate: number])[] {
  const all = [
    ['f32 multiply-add', tflops],
    ['f16', f16Tflops],
    ['matrices', matrixTflops],
  ] as const;
  return all.flatMap(([of, rate]) => (rate === undefined ? [] : [[of, rate] as const]));
}

/** The ceilings as a line. */
export const ceilingsLine = (ceilings: Ceilings): string =>
  [
    `ceilings: copy ${ceilings.gbps.toFixed(1)} GB/s`,
    ...multiplyRates(ceilings).map(([of, rate]) => `${of} ${rate.toFixed(3)} TFLOP/s`),
  ].join(', ');

async function measureCopy(device: GPUDevice, name: string, way: CopyWay, count: number): Promise<CeilingResult> {
  const kernel = (await copy.create(device, way)) as unknown as Kernel;
  const [x, y] = [0, 1].map(() => device.createBuffer({ size: 16 * count, usage: STORAGE })) as [GPUBuffer, GPUBuffer];
  const last = Float32Array.of(1, 2, 3, 4);
  device.queue.writeBuffer(x, 16 * (count - 1), last);
  const record = kernel.bind({ x, y }, { count });
  const timing = await timed(device, kernel, record);
  const copied = new Float32Array(await readBuffer(device, y, 16 * (count - 1)));
  for (const buffer of [x, y]) buffer.destroy();
  if (copied.some((value, i) => value !== last[i])) throw new Error(`${name}: copied ${copied.join(' ')}`);
  return result(name, kernel, 'f32', [count, 4], timing, { flops: 0, bytes: 32 * count, maxRelErr: 0 });
}

async function measureFma(
  device: GPUDevice,
  name: string,
  way: FmaWay,
  count: number,
  operations: number,
): Promise<CeilingResult> {
  const kernel = (await fma.create(device, way)) as unknown as Kernel;
  const rounds = operations / (count * way.chains * 8);
  const y = device.createBuffer({ size: 4 * count, usage: STORAGE });
  const factor = FACTORS[way.dtype];
  const record = kernel.bind({ y }, { count, rounds, factor });
  const timing = await timed(device, kernel, record);
  const [first] = new Float32Array(await readBuffer(device, y, 0, 4)) as unknown as [number];
  y.destroy();
  // Chain c starts at c and comes nearer to 1 by the factor a round; those beyond CHAINS stand still.
  const chain = (c: number) => (c < way.chains ? 1 + factor ** rounds * (c - 1) : c);
  const wanted = Array.from({ length: 16 }, (_, c) => chain(c)).reduce((a, b) => a + b, 0);
  const maxRelErr = Math.abs(first / wanted - 1);
  if (!(maxRelErr < 1e-3)) throw new Error(`${name}: the sum of its chains is ${first}, not ${wanted}`);
  return result(name, kernel, way.dtype, [count, rounds], timing, { flops: operations, bytes: 4 * count, maxRelErr });
}

/** Operations of a way on matrices. */
const ON_MATRICES = 2 ** 39;

async function measureMatrices(
  device: GPUDevice,
  name: string,
  way: MatrixWay,
  workgroups: number,
): Promise<CeilingResult> {
  const kernel = (await matrices.create(device, way)) as unknown as Kernel;
  const count = INVOCATIONS * workgroups;
  const rounds = ON_MATRICES / (4 * workgroups * way.tm * way.tn * 2 * 16 ** 3);
  const y = device.createBuffer({ size: 4 * count, usage: STORAGE });
  const record = kernel.bind({ y }, { count, rounds });
  const timing = await timed(device, kernel, record);
  const [first] = new Float32Array(await readBuffer(device, y, 0, 4)) as unknown as [number];
  y.destroy();
  const wanted = matrixTotal(way, rounds);
  if (first !== wanted) throw new Error(`${name}: the total of its sums is ${first}, not ${wanted}`);
  return result(name, kernel, 'f16', [count, rounds], timing, { flops: ON_MATRICES, bytes: 4 * count, maxRelErr: 0 });
}

async function timed(device: GPUDevice, kernel: Kernel, record: ReturnType<Kernel['bind']>): Promise<Timing> {
  await warm(device, kernel, [record]);
  return timeDispatch(device, kernel, [record]);
}

function result(
  name: string,
  kernel: Kernel,
  dtype: CeilingResult['dtype'],
  shape: readonly number[],
  timing: Timing,
  work: { flops: number; bytes: number; maxRelErr: number },
): CeilingResult {
  return {
    case: name,
    kernel: kernel.name,
    variant: kernel.variant || 'default',
    dtype,
    shape,
    ...timing,
    ...work,
    tflops: work.flops / timing.ms / 1e9,
    gbps: work.bytes / timing.ms / 1e6,
  };
}

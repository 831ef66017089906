import { readBuffer } from '../src/device/index.ts';
import { defineKernel, type Kernel } from '../src/kernel/index.ts';
import * as shaders from '../src/shaders.generated.ts';
import type { Suite } from './suite.ts';
import { type Timing, timeDispatch, warm } from './time.ts';

/** What this device reaches when it only copies, and when it only multiplies and adds: the highest of several ways. */
export interface Ceilings {
  readonly gbps: number;
  readonly tflops: number;
}

/** A way to a ceiling, and how far it got. */
export interface CeilingResult extends Timing {
  readonly case: string;
  readonly kernel: string;
  readonly variant: string;
  readonly dtype: 'f32';
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
}

const copy = defineKernel({
  shader: shaders.ceiling_copy,
  knobs: (way: CopyWay) => ({ WG: way.wg, PER: way.per }),
  sizes: (d) => ({ x: 4 * d.count, y: 4 * d.count }),
  grid: (d, { WG, PER }) => Math.ceil(d.count / (Number(WG) * Number(PER))),
});

const fma = defineKernel({
  shader: shaders.ceiling_fma,
  knobs: (way: FmaWay) => ({ WG: way.wg, CHAINS: way.chains }),
  sizes: (d) => ({ y: d.count }),
  grid: (d, { WG }) => Math.ceil(d.count / Number(WG)),
});

const STORAGE = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC
const FACTOR = 0.999;

/** The ways to the ceilings, by name. On a GPU a dispatch moves 256 MiB, past the caches, or does a millisecond of 60 TFLOP/s. */
export function ceilingCases(device: GPUDevice, software: boolean): ReadonlyMap<string, () => Promise<CeilingResult>> {
  const elements = (software ? 8 : 128) * 2 ** 16;
  const operations = software ? 2 ** 29 : 2 ** 36;
  const cases = new Map<string, () => Promise<CeilingResult>>();
  for (const per of software ? [4] : [1, 2, 4, 8]) {
    const name = `ceiling copy ${per} vec4 an invocation`;
    cases.set(name, () => measureCopy(device, name, { wg: 256, per }, elements));
  }
  // Few workgroups that do much leave their last wave half empty; many that do little start more often.
  const shapes = software ? [[64, 12]] : [64, 256].flatMap((wg) => [18, 20, 22].map((log) => [wg, log]));
  for (const chains of software ? [2, 4, 8] : [4, 8, 16]) {
    for (const [wg, log] of shapes as [number, number][]) {
      const name = `ceiling fma ${chains} chains 2^${log} by ${wg}`;
      cases.set(name, () => measureFma(device, name, { wg, chains }, 2 ** log, operations));
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
  return {
    gbps: Math.max(0, ...results.map((r) => r.gbps)),
    tflops: Math.max(0, ...results.map((r) => r.tflops)),
  };
}

/** The ceilings as a line. */
export const ceilingsLine = ({ gbps, tflops }: Ceilings): string =>
  `ceilings: copy ${gbps.toFixed(1)} GB/s, f32 multiply-add ${tflops.toFixed(3)} TFLOP/s`;

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
  return result(name, kernel, [count, 4], timing, { flops: 0, bytes: 32 * count, maxRelErr: 0 });
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
  const record = kernel.bind({ y }, { count, rounds, factor: FACTOR });
  const timing = await timed(device, kernel, record);
  const [first] = new Float32Array(await readBuffer(device, y, 0, 4)) as unknown as [number];
  y.destroy();
  // Chain c starts at c and comes nearer to 1 by FACTOR a round; those beyond CHAINS stand still.
  const chain = (c: number) => (c < way.chains ? 1 + FACTOR ** rounds * (c - 1) : c);
  const wanted = Array.from({ length: 16 }, (_, c) => chain(c)).reduce((a, b) => a + b, 0);
  const maxRelErr = Math.abs(first / wanted - 1);
  if (!(maxRelErr < 1e-3)) throw new Error(`${name}: the sum of its chains is ${first}, not ${wanted}`);
  return result(name, kernel, [count, rounds], timing, { flops: operations, bytes: 4 * count, maxRelErr });
}

async function timed(device: GPUDevice, kernel: Kernel, record: ReturnType<Kernel['bind']>): Promise<Timing> {
  await warm(device, kernel, [record]);
  return timeDispatch(device, kernel, [record]);
}

function result(
  name: string,
  kernel: Kernel,
  shape: readonly number[],
  timing: Timing,
  work: { flops: number; bytes: number; maxRelErr: number },
): CeilingResult {
  return {
    case: name,
    kernel: kernel.name,
    variant: kernel.variant || 'default',
    dtype: 'f32',
    shape,
    ...timing,
    ...work,
    tflops: work.flops / timing.ms / 1e9,
    gbps: work.bytes / timing.ms / 1e6,
  };
}

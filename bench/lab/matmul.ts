/**
 * Matmul versions, naive to fast, at the shapes that matter on a CPU adapter: `npx tsx bench/lab/matmul.ts [version] [shape]`,
 * both plain substrings (`npx tsx bench/lab/matmul.ts plain 1024`). Each version is checked against f64 dot products at some
 * places before it is timed; GFLOP/s of the best and the median of several spans, and the first dispatch (which compiles).
 */

import { adapterName, readBuffer } from '../../src/device/index.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { capsOf, KernelError } from '../../src/kernel/index.ts';
import type { MatmulLayout } from '../../src/kernels/matmul.ts';
import { type Version, versions } from './matmul_versions.ts';

type Shape = [layout: MatmulLayout, m: number, n: number, k: number];

const TOKENS = 1568;
const SHAPES: Shape[] = [
  ...(['nn', 'nt', 'tn'] as const).map((layout): Shape => [layout, 1024, 1024, 1024]),
  ...[
    [128, 384],
    [128, 128],
    [128, 682],
    [341, 128],
  ].flatMap(([k = 0, n = 0]): Shape[] => [
    ['nt', TOKENS, n, k],
    ['nn', TOKENS, k, n],
    ['tn', n, k, TOKENS],
  ]),
];
const SPANS = 7;
const SPAN_MS = 60;
const TOLERANCE = 3e-6;

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return new Float32Array(length).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** ||out - f64|| / ||f64|| over 400 places, the last row and column among them. */
function spotError([layout, m, n, k]: Shape, a: Float32Array, b: Float32Array, out: Float32Array): number {
  let wrong = 0;
  let size = 0;
  for (let s = 0; s < 400; s++) {
    const i = s < 10 ? m - 1 : (s * 7919) % m;
    const j = s % 10 === 0 ? n - 1 : (s * 104729) % n;
    let sum = 0;
    for (let x = 0; x < k; x++) {
      sum +=
        (a[layout === 'tn' ? x * m + i : i * k + x] as number) * (b[layout === 'nt' ? j * k + x : x * n + j] as number);
    }
    wrong += (sum - (out[i * n + j] as number)) ** 2;
    size += sum * sum;
  }
  return Math.sqrt(wrong / size);
}

async function measure(device: GPUDevice, version: Version, shape: Shape): Promise<string> {
  const [layout, m, n, k] = shape;
  const kernel = version.prepare(device, layout, { m, n, k }, capsOf(device));
  await kernel.ready;
  const [a, b] = [noise(m * k, 1), noise(k * n, 2)];
  const [bufferA, bufferB, out] = [a.length, b.length, m * n].map((words) =>
    device.createBuffer({ size: 4 * words, usage: 0x80 | 0x8 | 0x4 }),
  ) as [GPUBuffer, GPUBuffer, GPUBuffer];
  try {
    device.queue.writeBuffer(bufferA, 0, a);
    device.queue.writeBuffer(bufferB, 0, b);
    const dims = { m, n, k };
    const record = kernel.bind({ a: bufferA, b: bufferB, out }, dims);
    const run = async (times: number) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      for (let i = 0; i < times; i++) kernel.encode(pass, record);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return (performance.now() - start) / times;
    };
    const first = await run(1);
    const error = spotError(shape, a, b, new Float32Array(await readBuffer(device, out)));
    if (!(error <= TOLERANCE)) return `WRONG: off by ${error.toExponential(1)}`;
    const times = Math.max(1, Math.round(SPAN_MS / (await run(1))));
    const spans: number[] = [];
    for (let i = 0; i < SPANS; i++) spans.push(await run(times));
    spans.sort((x, y) => x - y);
    const rate = (ms: number) => ((2e-6 * m * n * k) / ms).toFixed(1).padStart(8);
    return `${rate(spans[0] as number)} best ${rate(spans[SPANS >> 1] as number)} median GFLOP/s   first ${first.toFixed(0)} ms`;
  } finally {
    for (const buffer of [bufferA, bufferB, out]) buffer.destroy();
  }
}

const [wantedVersion = '', wantedShape = ''] = process.argv.slice(2);
const device = await openNodeDevice();
console.log(`${adapterName(device)}`);
for (const shape of SHAPES) {
  const [layout, m, n, k] = shape;
  const label = `${layout} ${m}x${k}x${n}`;
  if (!label.includes(wantedShape)) continue;
  for (const version of versions) {
    if (!version.name.includes(wantedVersion) || !(version.layouts?.includes(layout) ?? true)) continue;
    let line: string;
    try {
      line = await measure(device, version, shape);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      line = `not run: ${error.message}`;
    }
    console.log(`${label.padEnd(20)} ${version.name.padEnd(36)} ${line}`);
  }
}

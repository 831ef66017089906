/**
 * Products on subgroup matrices, naive to fast: `npx tsx bench/lab/matrix.ts [version] [shape]`, plain substrings. Each version is
 * checked against f64 dot products at some places before it is timed; TFLOP/s of the median of nine spans, by the device's clock.
 */
import { adapterName, readBuffer } from '../../src/device/index.ts';
import { openNodeDevice } from '../../src/device/node.ts';
import { defineKernel, float32ToHalf, halfToFloat32, type Kernel, KernelError } from '../../src/kernel/index.ts';
import { reflect } from '../../src/reflect/index.ts';
import { timeDispatch, warm } from '../time.ts';
import { type MatrixSketch, matrixSketch, matrixSketches } from './matrix_versions.ts';

/** m, n, k. */
const SHAPES = [
  [4096, 4096, 4096],
  [8192, 1536, 384],
  [4096, 4608, 1152],
] as const;
const TOLERANCE = 2e-5;

function noise(length: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed;
  return new Float32Array(length).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

/** ||out - f64|| / ||f64|| over 400 places, the last row and column among them. */
function spotError(m: number, n: number, k: number, a: Float32Array, b: Float32Array, out: Float32Array): number {
  let wrong = 0;
  let size = 0;
  for (let s = 0; s < 400; s++) {
    const i = s < 10 ? m - 1 : (s * 7919) % m;
    const j = s % 10 === 0 ? n - 1 : (s * 104729) % n;
    let sum = 0;
    for (let x = 0; x < k; x++) sum += (a[i * k + x] as number) * (b[j * k + x] as number);
    wrong += (sum - (out[i * n + j] as number)) ** 2;
    size += sum * sum;
  }
  return Math.sqrt(wrong / size);
}

async function measure(device: GPUDevice, s: MatrixSketch, shape: (typeof SHAPES)[number], inputs: Inputs) {
  const [m, n, k] = shape;
  const shader = reflect(matrixSketch(s), `lab ${s.name}`);
  const words = s.f32 ? 1 : 2;
  const family = defineKernel({
    shader,
    sizes: ({ m = 0, n = 0, k = 0 }) => ({ a: (m * k) / words, b: (k * n) / words, out: m * n }),
    grid: ({ m = 0, n = 0 }) => (m / s.bm) * (n / s.bn),
    check: ({ m = 0, n = 0, k = 0 }) =>
      m % s.bm || n % s.bn || k % (s.bk * Math.max(s.ahead, s.double ? 2 : 1))
        ? { what: 'the sketch handles whole tiles only', fix: 'choose another shape' }
        : undefined,
  });
  const started = performance.now();
  const kernel = (await family.create(device)) as Kernel;
  const compiled = performance.now() - started;
  const [a, b] = s.f32 ? [inputs.a, inputs.b] : [inputs.halfA, inputs.halfB];
  const record = kernel.bind({ a, b, out: inputs.out } as never, { m, n, k } as never);
  const once = async () => {
    const encoder = device.createCommandEncoder();
    encoder.clearBuffer(inputs.out);
    const pass = encoder.beginComputePass();
    kernel.encode(pass, record);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return new Float32Array(await readBuffer(device, inputs.out));
  };
  const error = s.without ? 0 : spotError(m, n, k, inputs.hostA, inputs.hostB, await once());
  if (!s.without && !(error <= TOLERANCE)) return `WRONG: off by ${error.toExponential(1)}`;
  await warm(device, kernel, [record]);
  const { ms } = await timeDispatch(device, kernel, [record]);
  const rate = ((2e-9 * m * n * k) / ms).toFixed(1).padStart(7);
  return `${rate} TFLOP/s  ${ms.toFixed(4)} ms  off ${error.toExponential(1)}  compiled in ${compiled.toFixed(0)} ms`;
}

interface Inputs {
  readonly a: GPUBuffer;
  readonly b: GPUBuffer;
  readonly halfA: GPUBuffer;
  readonly halfB: GPUBuffer;
  readonly out: GPUBuffer;
  readonly hostA: Float32Array;
  readonly hostB: Float32Array;
}

/** Operands that are halves, in both forms. */
function inputsOf(device: GPUDevice, [m, n, k]: (typeof SHAPES)[number]): Inputs {
  const upload = (data: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage: 0x80 | 0x8 });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const [bitsA, bitsB] = [float32ToHalf(noise(m * k, 1)), float32ToHalf(noise(n * k, 2))];
  const [hostA, hostB] = [halfToFloat32(bitsA), halfToFloat32(bitsB)];
  const out = device.createBuffer({ size: 4 * m * n, usage: 0x80 | 0x8 | 0x4 });
  return { a: upload(hostA), b: upload(hostB), halfA: upload(bitsA), halfB: upload(bitsB), out, hostA, hostB };
}

const [wantedVersion = '', wantedShape = ''] = process.argv.slice(2);
const device = await openNodeDevice();
console.log(`${adapterName(device)}`);
for (const shape of SHAPES) {
  const label = shape.join('x');
  if (!label.includes(wantedShape)) continue;
  const inputs = inputsOf(device, shape);
  for (const version of matrixSketches) {
    if (!version.name.includes(wantedVersion)) continue;
    let line: string;
    try {
      line = await measure(device, version, shape, inputs);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      line = `not run: ${error.message.slice(0, 400)}`;
    }
    console.log(`${label.padEnd(16)} ${version.name.padEnd(52)} ${line}`);
  }
  for (const item of Object.values(inputs)) if (!(item instanceof Float32Array)) item.destroy();
}

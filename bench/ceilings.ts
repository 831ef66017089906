import { defineKernel, groupsOf, type Kernel } from '../src/kernel/index.ts';
import * as shaders from '../src/shaders.generated.ts';
import { timeDispatch, warm } from './time.ts';

/** What this device reaches when it only copies, and when it only multiplies and adds. */
export interface Ceilings {
  readonly gbps: number;
  readonly tflops: number;
}

const copy = defineKernel({
  shader: shaders.ceiling_copy,
  sizes: (d) => ({ x: 4 * d.count, y: 4 * d.count }),
  grid: (d, k) => groupsOf(d.count, k, 4),
});

const fma = defineKernel({
  shader: shaders.ceiling_fma,
  sizes: (d) => ({ y: d.count }),
  grid: (d, k) => groupsOf(d.count, k),
});

/** Measures both ceilings; also warms the device up. */
export async function measureCeilings(device: GPUDevice, software: boolean): Promise<Ceilings> {
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const elements = (software ? 8 : 128) * 2 ** 16; // vec4s: 8 MiB on a CPU, 128 MiB on a GPU, past its caches
  const [x, y] = [0, 1].map(() => device.createBuffer({ size: elements * 16, usage })) as [GPUBuffer, GPUBuffer];
  const copyKernel = await copy.create(device);
  const copyRecord = copyKernel.bind({ x, y }, { count: elements });
  const invocations = software ? 2 ** 12 : 2 ** 20;
  const rounds = 512;
  const fmaKernel = await fma.create(device);
  const fmaRecord = fmaKernel.bind({ y }, { count: invocations, rounds, factor: 0.999 });
  await warm(device, fmaKernel as unknown as Kernel, [fmaRecord], 300);
  const fmaTime = await timeDispatch(device, fmaKernel as unknown as Kernel, [fmaRecord]);
  const copyTime = await timeDispatch(device, copyKernel as unknown as Kernel, [copyRecord]);
  x.destroy();
  y.destroy();
  return { gbps: (elements * 32) / copyTime.ms / 1e6, tflops: (invocations * rounds * 64) / fmaTime.ms / 1e9 };
}

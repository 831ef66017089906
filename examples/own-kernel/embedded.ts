// A kernel of your own as typed source, which knows its buffers and dims:
// npx ucgm embed scale.wgsl --out scale.ts && npx tsx embedded.ts
import { readBuffer, requestDevice } from 'ucgm-webgpu';
import { defineKernel } from 'ucgm-webgpu/define';
import { scale } from './scale.ts';

const family = defineKernel({
  shader: scale,
  sizes: ({ count }) => ({ x: count, y: count }),
  grid: ({ count }, { WG }) => Math.ceil(count / Number(WG)),
});

const inPage = globalThis.navigator?.gpu;
const device = inPage ? await requestDevice(inPage) : await (await import('ucgm-webgpu/node')).openNodeDevice();
const usage = 0x80 | 0x8 | 0x4; // STORAGE | COPY_DST | COPY_SRC: TypeScript's own library has no GPUBufferUsage
const [x, y] = [device.createBuffer({ size: 8, usage }), device.createBuffer({ size: 8, usage })];
device.queue.writeBuffer(x, 0, new Float32Array([1, 2]));

const kernel = await family.create(device);
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
kernel.encode(pass, kernel.bind({ x, y }, { count: 2, factor: 3 }));
pass.end();
device.queue.submit([encoder.finish()]);
console.log([...new Float32Array(await readBuffer(device, y))].join(' '));
device.destroy();

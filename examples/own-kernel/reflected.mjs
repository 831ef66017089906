// A kernel of your own, its bindings and offsets read from the WGSL: npm run build && node examples/own-kernel/reflected.mjs
import { readBuffer } from 'ucgm-webgpu';
import { defineKernel } from 'ucgm-webgpu/define';
import { reflect } from 'ucgm-webgpu/reflect';
import { openDevice, readText } from '../place.mjs';

const scale = defineKernel({
  shader: reflect(await readText(new URL('scale.wgsl', import.meta.url)), 'scale'),
  sizes: ({ count }) => ({ x: count, y: count }),
  grid: ({ count }, { WG }) => Math.ceil(count / WG),
});

const device = await openDevice();
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
const [x, y] = [0, 1].map(() => device.createBuffer({ size: 16, usage }));
device.queue.writeBuffer(x, 0, new Float32Array([1, 2, 3, 4]));

const kernel = await scale.create(device);
for (const dims of [{ count: 4 }, { count: 3, factor: -1 }]) {
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  kernel.encode(pass, kernel.bind({ x, y }, dims));
  pass.end();
  device.queue.submit([encoder.finish()]);
  console.log([...new Float32Array(await readBuffer(device, y))].join(' '));
}
device.destroy();

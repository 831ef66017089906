// A matrix product in ten lines, in the best variant of the device: npm run build && node examples/product.mjs
import { readBuffer } from 'ucgm-webgpu';
import { matmul } from 'ucgm-webgpu/kernels';
import { openDevice } from './place.mjs';

const device = await openDevice();
const buffer = (size) =>
  device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
const [m, n, k] = [2, 3, 2];
const [a, b, out] = [m * k, n * k, m * n].map((count) => buffer(4 * count));
device.queue.writeBuffer(a, 0, new Float32Array([1, 2, 3, 4]));
device.queue.writeBuffer(b, 0, new Float32Array([1, 0, 0, 1, 1, 1])); // [n, k], as nn.Linear stores weights

const product = await matmul.create(device, { layout: 'nt' });
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
product.encode(pass, product.bind({ a, b, out }, { m, n, k }));
pass.end();
device.queue.submit([encoder.finish()]);
console.log([...new Float32Array(await readBuffer(device, out))].join(' '));
device.destroy();

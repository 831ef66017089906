// One kernel in an app of your own, on your own device and buffers: npm run build && node examples/one-kernel.mjs
import { norm } from 'ucgm-webgpu/kernels';

// A page has WebGPU; in Node it is Dawn's, of the package webgpu.
const { create, globals } = globalThis.navigator?.gpu ? {} : await import('webgpu');
Object.assign(globalThis, globals);
const gpu = create ? create([]) : navigator.gpu; // kept: the device lives only as long as it does
const adapter = await gpu.requestAdapter();
const device = await adapter.requestDevice();

const [rows, cols] = [2, 4];
const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
const [x, y] = [0, 1].map(() => device.createBuffer({ size: rows * cols * 4, usage }));
device.queue.writeBuffer(x, 0, new Float32Array([1, 2, 3, 4, 10, 20, 30, 40]));

const layernorm = await norm.create(device, { kind: 'layer', stats: false });
const record = layernorm.bind({ x, y }, { rows, cols, eps: 1e-6 });

const staging = device.createBuffer({ size: y.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
layernorm.encode(pass, record);
pass.end();
encoder.copyBufferToBuffer(y, 0, staging, 0, y.size);
device.queue.submit([encoder.finish()]);
await staging.mapAsync(GPUMapMode.READ);
console.log([...new Float32Array(staging.getMappedRange())].map((v) => v.toFixed(3)).join(' '));
device.destroy();

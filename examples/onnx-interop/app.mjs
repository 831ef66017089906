// Our layernorm on what ONNX Runtime Web computed: its GPUBuffer on its device, never read back in between.
import * as ort from 'onnxruntime-web/webgpu';
import { norm } from 'ucgm-webgpu/kernels/norm';
import { productModel } from './model.mjs';

const rows = 2;
const weights = Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 2 : 0)); // twice the unit matrix
const session = await ort.InferenceSession.create(productModel(weights), {
  executionProviders: ['webgpu'],
  preferredOutputLocation: 'gpu-buffer',
});
const device = await ort.env.webgpu.device;

const x = new ort.Tensor('float32', Float32Array.of(1, 2, 3, 4, 10, 20, 30, 40), [rows, 4]);
const { y } = await session.run({ x });
console.log(y.location, y.dims.join(' x '));

const layernorm = await norm.create(device, { kind: 'layer', stats: false });
const size = 4 * rows * 4;
const out = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
layernorm.encode(pass, layernorm.bind({ x: y.gpuBuffer, y: out }, { rows, cols: 4, eps: 1e-6 }));
pass.end();
const staging = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
encoder.copyBufferToBuffer(out, 0, staging, 0, size);
device.queue.submit([encoder.finish()]);

await staging.mapAsync(GPUMapMode.READ); // the end result alone
const line = [...new Float32Array(staging.getMappedRange())].map((v) => v.toFixed(3)).join(' ');
document.querySelector('pre').textContent = line;
console.log(line);
y.dispose();

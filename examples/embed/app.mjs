// Our kernels in an app that has WebGPU already: its device, its buffers, its encoder, and a pipeline of its own between ours.
// y = x + attention(layernorm(x)), one head over `tokens` tokens of `width` numbers.
import { attention, attentionDims } from 'ucgm-webgpu/kernels/attention';
import { norm } from 'ucgm-webgpu/kernels/norm';

const [tokens, width] = [6, 8];
const input = Float32Array.from({ length: tokens * width }, (_, i) => Math.sin(i * i));

// What the app has anyway.
const adapter = await navigator.gpu.requestAdapter();
const device = await adapter.requestDevice();
const buffer = (count, more = 0) =>
  device.createBuffer({ size: 4 * count, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST | more });
const x = buffer(input.length);
const y = buffer(input.length, GPUBufferUsage.COPY_SRC);
device.queue.writeBuffer(x, 0, input);
const residual = device.createComputePipeline({
  layout: 'auto',
  compute: {
    module: device.createShaderModule({
      code: `
        @group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read> change: array<f32>;
        @group(0) @binding(2) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
          if (id.x < arrayLength(&y)) { y[id.x] = x[id.x] + change[id.x]; }
        }`,
    }),
  },
});

// Ours: compiled for the app's device, bound to the app's buffers.
const [normed, changed, lse] = [buffer(input.length), buffer(input.length), buffer(tokens)];
const shape = { batch: 1, heads: 1, n: tokens, head_dim: width };
const layernorm = await norm.create(device, { kind: 'layer', stats: false });
const attend = await attention.create(device, { headDim: width }, shape);
const norming = layernorm.bind({ x, y: normed }, { rows: tokens, cols: width, eps: 1e-6 });
const attending = attend.bind({ q: normed, k: normed, v: normed, out: changed, lse }, attentionDims(shape));

// The app's encoder, the app's pass, the app's submit.
const entries = [x, changed, y].map((resource, binding) => ({ binding, resource: { buffer: resource } }));
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
layernorm.encode(pass, norming);
attend.encode(pass, attending);
pass.setPipeline(residual);
pass.setBindGroup(0, device.createBindGroup({ layout: residual.getBindGroupLayout(0), entries }));
pass.dispatchWorkgroups(Math.ceil(input.length / 64));
pass.end();
const staging = device.createBuffer({ size: y.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
encoder.copyBufferToBuffer(y, 0, staging, 0, y.size);
device.queue.submit([encoder.finish()]);

await staging.mapAsync(GPUMapMode.READ);
const result = new Float32Array(staging.getMappedRange());
for (let row = 0; row < tokens; row++) {
  const line = [...result.subarray(row * width, (row + 1) * width)].map((v) => v.toFixed(5)).join(' ');
  document.querySelector('pre').textContent += `${line}\n`;
  console.log(line);
}

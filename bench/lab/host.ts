/**
 * What the host takes for a training step, without a device behind it: `npx tsx bench/lab/host.ts [case] [batch] [precision]`, on Dawn's
 * null backend, which checks and records all and computes nothing, and says of itself what an H100 does, so that its kernels are recorded
 * (tiles that need more than 16 KiB of workgroup memory left out). Half and tenth of the times of steps that are alike, what the
 * device's calls take of them (each with some .1 us of the clock), the pipelines with the characters of their WGSL, and the dispatches
 * of a step by pipeline: a kernel and the knobs that are not its defaults. What a driver takes in submits is not in it.
 */
import { create, globals } from 'webgpu';
import { requestDevice } from '../../src/device/index.ts';
import { rememberAdapter } from '../../src/kernel/index.ts';
import type { PassPrecision } from '../../src/tensor/index.ts';
import { hostTime, trainingOf } from '../model.ts';

const STEPS = 600;
const [name = 'step 28x28 w128 d6 b128', batchSize = '96', precision = 'f32'] = process.argv.slice(2);

const H100 = {
  ...{
    vendor: 'nvidia',
    architecture: 'hopper',
    device: '',
    description: '',
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
  },
  subgroupMatrixConfigs: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
} as unknown as GPUAdapterInfo;

interface Calls {
  ms: number;
  count: number;
}

/** Counts and times the calls of the classes that a step uses, until the process ends. */
function timedCalls(): Map<string, Calls> {
  const all = new Map<string, Calls>();
  for (const of of [GPUDevice, GPUQueue, GPUCommandEncoder, GPUComputePassEncoder, GPUBuffer]) {
    const properties = Object.entries(Object.getOwnPropertyDescriptors(of.prototype));
    for (const [method, { value: call, ...rest }] of properties) {
      if (typeof call !== 'function' || method === 'constructor') continue;
      const calls = { ms: 0, count: 0 };
      all.set(`${of.name}.${method}`, calls);
      const value = function (this: unknown, ...args: unknown[]) {
        const start = performance.now();
        const given: unknown = Reflect.apply(call, this, args);
        calls.ms += performance.now() - start;
        calls.count++;
        return given;
      };
      Object.defineProperty(of.prototype, method, { ...rest, value });
    }
  }
  return all;
}

/** Counts the characters of all WGSL that is compiled, until the process ends. */
function compiledText(): { shaders: number; characters: number } {
  const all = { shaders: 0, characters: 0 };
  const { createShaderModule } = GPUDevice.prototype;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    all.shaders++;
    all.characters += descriptor.code.length;
    return createShaderModule.call(this, descriptor);
  };
  return all;
}

/** The dispatches of some work by the label of their pipeline, most first. */
async function dispatches(work: () => Promise<unknown>): Promise<[label: string, count: number][]> {
  const counts = new Map<string, number>();
  const { setPipeline } = GPUComputePassEncoder.prototype; // called once a dispatch
  GPUComputePassEncoder.prototype.setPipeline = function (pipeline) {
    counts.set(pipeline.label, (counts.get(pipeline.label) ?? 0) + 1);
    setPipeline.call(this, pipeline);
  };
  await work();
  GPUComputePassEncoder.prototype.setPipeline = setPipeline;
  return [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

Object.assign(globalThis, globals);
const text = compiledText();
const gpu = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis,use_vulkan_memory_model']);
const device = await requestDevice(gpu);
Object.defineProperty(device, 'adapterInfo', { value: H100 });
rememberAdapter(device, H100);
const { trainer, batch } = trainingOf(device, name, {
  batchSize: Number(batchSize),
  precision: precision as PassPrecision,
});
const step = async () => {
  await device.queue.onSubmittedWorkDone();
  return hostTime(trainer, () => trainer.train(batch));
};
for (let i = 0; i < STEPS / 10; i++) await step();
const times: number[] = [];
for (let i = 0; i < STEPS; i++) times.push(await step());
times.sort((a, b) => a - b);
const byPipeline = await dispatches(step);
const at = (share: number) => (times[Math.floor(share * STEPS)] as number).toFixed(3);
const calls = timedCalls();
for (let i = 0; i < STEPS; i++) await step();
const { count = 0 } = calls.get('GPUComputePassEncoder.dispatchWorkgroups') ?? {};
console.log(
  `${name}, batch ${batchSize}, ${precision}: ${at(0.5)} ms a step, a tenth ${at(0.1)}; ${count / STEPS} dispatches`,
);
for (const [call, { ms, count }] of [...calls].sort((a, b) => b[1].ms - a[1].ms))
  if (count >= STEPS)
    console.log(
      `  ${call.padEnd(42)} ${(ms / STEPS).toFixed(4)} ms a step, ${(count / STEPS).toFixed(1)} calls of ${((1000 * ms) / count).toFixed(2)} us`,
    );
console.log(`${text.shaders} pipelines, ${text.characters} characters; a step's dispatches by pipeline:`);
for (const [label, count] of byPipeline) console.log(`  ${String(count).padStart(4)} ${label}`);
process.exit(0);

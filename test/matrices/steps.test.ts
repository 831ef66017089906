/** Whole training steps as a device with subgroup matrices records them: Dawn's null adapter takes every command and computes nothing. */
import { expect, it } from 'vitest';
import { create, globals } from 'webgpu';
import { Tape } from '../../src/autograd/tape.ts';
import { MATRIX_FEATURE, rememberAdapter } from '../../src/kernel/index.ts';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { OBJECTIVE_DEFAULTS } from '../../src/ucgm/options.ts';
import { Trainer } from '../../src/ucgm/trainer.ts';

/** What an H100 says of itself. */
const INFO = {
  vendor: 'nvidia',
  architecture: 'hopper',
  device: '',
  description: '',
  subgroupMinSize: 32,
  subgroupMaxSize: 32,
  subgroupMatrixConfigs: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
};

let gpu: GPU | undefined; // Dawn's, which lives as long as its devices

async function nullDevice(): Promise<GPUDevice> {
  Object.assign(globalThis, globals);
  gpu ??= create(['backend=null', 'enable-dawn-features=allow_unsafe_apis,use_vulkan_memory_model']);
  const adapter = (await gpu.requestAdapter()) as GPUAdapter;
  const requiredFeatures = ['shader-f16', 'subgroups', MATRIX_FEATURE] as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredFeatures });
  rememberAdapter(device, INFO as unknown as GPUAdapterInfo);
  Object.defineProperty(device, 'adapterInfo', { value: INFO });
  return device;
}

const sizes = { input_size: 16, patch_size: 2, in_channels: 4, num_classes: 10, depth: 1 };
const BATCH = 4;

function networkNamed(name: 'TiT' | 'DDT') {
  const own = name === 'TiT' ? { hidden_size: 128 } : { hidden_size: 144, depth: 2, num_encoder_blocks: 1 };
  return createNetwork(name, { ...sizes, num_heads: 2, ...own });
}

/** The kernels that are recorded from now on, and how often. */
function recordedBy(workspace: Workspace): Map<string, number> {
  const kernels = new Map<string, number>();
  const { run } = workspace.stream;
  workspace.stream.run = (kernel, buffers, dims) => {
    kernels.set(kernel.name, (kernels.get(kernel.name) ?? 0) + 1);
    run.call(workspace.stream, kernel as never, buffers as never, dims as never);
  };
  return kernels;
}

for (const name of ['TiT', 'DDT'] as const) {
  it(`mixed: a training step of ${name} is valid on subgroup matrices, products and all else`, async () => {
    const device = await nullDevice();
    const workspace = new Workspace(device);
    expect(workspace.caps).toMatchObject({ f16: true, subgroups: { least: 32, most: 32 }, software: false });
    const trainer = new Trainer(workspace, networkNamed(name), BATCH, {
      objective: { ...OBJECTIVE_DEFAULTS, enhanced_ratio: 0.5 },
      optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0.1 },
      emaDecay: 0.9,
      maxGradNorm: 1,
      seed: 3,
      precision: 'mixed',
    });
    const kernels = recordedBy(workspace);
    device.pushErrorScope('validation');
    await trainer.train({ x: new Float32Array(BATCH * 1024), labels: Uint32Array.of(0, 1, 2, 3) });
    expect((await device.popErrorScope())?.message).toBeUndefined();
    expect(kernels.get('matmul_matrix')).toBeGreaterThan(0);
    await workspace.dispose();
  });

  for (const [precision, own] of [
    ['f32x3', ['largest', 'matmul_f32x3']],
    ['mixed', ['matmul_matrix', 'attention_matrix_fwd', 'attention_matrix_bwd_kv', 'attention_matrix_bwd_q']],
  ] as const)
    it(`${precision}: a step of ${name} binds what products and attention on subgroup matrices need`, async () => {
      const workspace = new Workspace(await nullDevice());
      // The null adapter has less workgroup memory than these tiles take: they are bound, and not compiled.
      Object.defineProperty(workspace, 'caps', { value: { ...workspace.caps, maxWorkgroupMemory: 49152 } });
      const network = networkNamed(name);
      const weights = new WeightStore(workspace, network, precision === 'mixed').trainable(1);
      const kernels = recordedBy(workspace);
      workspace.beginStep();
      const tape = new Tape(workspace, { record: true, precision });
      const [x, t, y] = [tape.alloc(BATCH, ...network.input), tape.alloc(BATCH), tape.allocAs('u32', BATCH)];
      const out = network.forward(tape, weights, x, t, y);
      tape.backward(out, tape.alloc(...out.shape));
      expect([...kernels.keys()]).toEqual(expect.arrayContaining([...own]));
      // A forward and two backward products a linear layer: its input and its gradient are read once, all weights at once, and what DDT
      // makes of its weights (two pairs side by side).
      if (precision === 'f32x3')
        expect([kernels.get('matmul_f32x3'), kernels.get('largest')], name).toEqual(
          name === 'TiT' ? [25, 20] : [45, 33],
        );
      const f32 = precision === 'f32x3' ? ['matmul_tiled', 'matmul_plain'] : ['attention_tiled_fwd'];
      expect([...kernels.keys()].filter((kernel) => f32.includes(kernel))).toEqual([]);
      await workspace.dispose();
    });
}

const UNET = {
  ...{ input_size: 16, in_channels: 4, num_classes: 10 },
  ...{ channel_mult: [1, 2], num_blocks: 1, attn_resolutions: [8] },
};

for (const [name, model_channels] of [
  ['EDM2', 64],
  ['UNet+', 32],
] as const)
  it(`mixed: a training step of ${name} multiplies its convolutions on subgroup matrices, and is valid`, async () => {
    const device = await nullDevice();
    const workspace = new Workspace(device);
    const network = createNetwork(name, { ...UNET, model_channels });
    const trainer = new Trainer(workspace, network, BATCH, {
      objective: { ...OBJECTIVE_DEFAULTS, lab_drop_ratio: 0 },
      optimizer: { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.95], weight_decay: 0.1 },
      emaDecay: 0.9,
      maxGradNorm: 1,
      seed: 3,
      precision: 'mixed',
    });
    expect(trainer.learner.lossScale).toBeDefined();
    expect(trainer.learner.weights.flat.halves).toBeUndefined(); // none of its kernels reads such a copy
    const kernels = recordedBy(workspace);
    device.pushErrorScope('validation');
    await trainer.train({ x: new Float32Array(BATCH * 1024), labels: Uint32Array.of(0, 1, 2, 3) });
    expect((await device.popErrorScope())?.message).toBeUndefined();
    // Of f32 are the first layer, of too few channels, and the last: its result and its gradient by x; and both gradients by the weight.
    expect([kernels.get('conv2d_tiled'), kernels.get('conv2d_bwd_weight_tiled')]).toEqual([3, 2]);
    expect(kernels.get('conv2d_matrix')).toBeGreaterThan(2 * 9);
    expect(kernels.get('conv2d_bwd_weight_matrix')).toBeGreaterThan(9);
    await workspace.dispose();
  });

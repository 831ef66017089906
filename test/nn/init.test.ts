import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { initialise } from '../../src/nn/init.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const SIZES = { input_size: 8, in_channels: 3, num_classes: 5, hidden_size: 24, depth: 2, num_heads: 2, patch_size: 2 };

for (const [name, sizes] of [
  ['TiT', SIZES],
  ['DDT', { ...SIZES, num_encoder_blocks: 1 }],
  ['TiT', { ...SIZES, hidden_size: 20, num_heads: 1 }], // 53 hidden units, held as 56
] as const) {
  it(`${name}, width ${sizes.hidden_size}: starting values drawn on the device are the host's, to the bit, in one buffer or in many`, async () => {
    const device = await testDevice();
    const network = createNetwork(name, sizes);
    const expected = initialise(network.parameters, 0xfeedf00d);
    for (const limit of [undefined, 24576]) {
      const workspace = new Workspace(limit === undefined ? device : withLimit(device, limit));
      const store = new WeightStore(workspace, network);
      const { values } = store.trainable(0xfeedf00d).flat;
      if (limit !== undefined) expect(values.chunks.length).toBeGreaterThan(3);
      const got = await values.read();
      expect([...got.keys()]).toEqual([...expected.keys()]);
      for (const [key, data] of expected) expect(bits(got.get(key) as Float32Array), key).toEqual(bits(data));
      store.free();
      await workspace.dispose();
    }
  });
}

const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** The device, with smaller bindings. */
function withLimit(device: GPUDevice, maxStorageBufferBindingSize: number): GPUDevice {
  const limits = new Proxy(device.limits, {
    get: (target, key) =>
      key === 'maxStorageBufferBindingSize' ? maxStorageBufferBindingSize : Reflect.get(target, key, target),
  });
  return new Proxy(device, {
    get(target, key) {
      if (key === 'limits') return limits;
      const value = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

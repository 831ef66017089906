import { describe, expect, it } from 'vitest';
import { KernelError } from '../../src/kernel/index.ts';
import { createNetwork } from '../../src/models/registry.ts';
import type { VelocityNetwork } from '../../src/nn/network.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { normal } from '../../src/rng/philox.ts';
import { draw } from '../../src/run/draw.ts';
import { presetNamed } from '../../src/run/presets.ts';
import { sampleImages } from '../../src/run/samples.ts';
import { mergeConfig } from '../../src/run/settings.ts';
import { BufferLimitError, Workspace } from '../../src/tensor/index.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const config = mergeConfig('test', presetNamed('tiny'), {
  sample: { sampling_steps: 2, stochast_ratio: 0.5, cfg_scale: 1 },
});
const network = createNetwork('TiT', sizes);
const labels = Uint32Array.from({ length: 11 }, (_, i) => i % 3);

/** Weights that are written when the first images are asked for, not before; the output layer is not zero. */
function written(store: WeightStore) {
  const weights = store.frozen('test');
  const numbers = new Map<string, Float32Array<ArrayBuffer>>();
  for (const { name, shape } of network.parameters)
    numbers.set(
      name,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.3 * normal(1, 3, name.length, i)),
    );
  weights.flat.values.write(numbers);
  return weights;
}

/** The network on a device that cannot hold more than `most` images. */
const holding = (most: number, seen: number[], error: () => Error): VelocityNetwork => ({
  ...network,
  forward: (tape, weights, x, ...rest) => {
    seen.push(x.shape[0] as number);
    const out = network.forward(tape, weights, x, ...rest); // fails late, with work recorded
    if ((x.shape[0] as number) > most) throw error();
    return out;
  },
});

describe('drawing many images', () => {
  it('draws the same images in parts as at once, and in smaller parts where the device cannot hold them', async () => {
    const workspace = new Workspace(await testDevice());
    const store = new WeightStore(workspace, network);
    const weights = written(store);
    const whole = await draw(workspace, network, weights, config, { labels, seed: 5 });
    expect(whole.samples).toHaveLength(11 * 64);
    expect(whole.nfe).toBe(2);
    const parts = await draw(workspace, network, weights, config, { labels, seed: 5, atOnce: 4 });
    expect(parts.samples).toEqual(whole.samples);
    for (const error of [
      () => new KernelError('limit', 'matmul', '', 'out needs more', 'give less'),
      () => new BufferLimitError('arena buffer needs more', 'give less'),
    ]) {
      const seen: number[] = [];
      const fewer = await draw(workspace, holding(3, seen, error), written(store), config, { labels, seed: 5 });
      expect(seen).toEqual([11, 6, 3, 3, 3, 3, 3, 3, 2, 2]);
      expect(fewer.samples).toEqual(whole.samples);
    }
    store.free();
    await workspace.dispose();
  });

  it('passes on what is no matter of size, and one image that does not fit', async () => {
    const workspace = new Workspace(await testDevice());
    const store = new WeightStore(workspace, network);
    const weights = store.trainable(1);
    const seen: number[] = [];
    const broken = holding(0, seen, () => new KernelError('bad-dims', 'matmul', '', 'k is 0', 'give more'));
    await expect(draw(workspace, broken, weights, config, { labels, seed: 5 })).rejects.toThrow('k is 0');
    expect(seen).toEqual([11]);
    const full = holding(0, seen, () => new KernelError('limit', 'matmul', '', 'out needs more', 'give less'));
    await expect(draw(workspace, full, weights, config, { labels, seed: 5 })).rejects.toThrow('out needs more');
    expect(seen).toEqual([11, 11, 6, 3, 2, 1]);
    store.free();
    await workspace.dispose();
  });

  it('ends within a sampling step of a signal, of many images and of a grid, and the workspace goes on', async () => {
    const workspace = new Workspace(await testDevice());
    const store = new WeightStore(workspace, network);
    const weights = written(store);
    /** The network, and a signal that comes in its `last` pass. */
    const stopping = (last: number) => {
      const controller = new AbortController();
      let passes = 0;
      const watched: VelocityNetwork = {
        ...network,
        forward: (...given) => {
          if (++passes === last) controller.abort(new Error('enough'));
          return network.forward(...given);
        },
      };
      return { watched, signal: controller.signal, passes: () => passes };
    };
    const long = { ...config, sample: { ...config.sample, sampling_steps: 50 } };
    for (const last of [1, 3]) {
      const { watched, signal, passes } = stopping(last);
      await expect(draw(workspace, watched, weights, long, { labels, seed: 5, signal })).rejects.toThrow('enough');
      expect(passes()).toBe(last);
    }
    const parts = stopping(3); // in the first step of the second part: two steps a part
    const drawing = { labels, seed: 5, atOnce: 4, signal: parts.signal };
    await expect(draw(workspace, parts.watched, weights, config, drawing)).rejects.toThrow('enough');
    expect(parts.passes()).toBe(3);
    const grid = stopping(2);
    await expect(sampleImages(workspace, grid.watched, weights, long, { signal: grid.signal })).rejects.toThrow(
      'enough',
    );
    expect(grid.passes()).toBe(2);
    const { signal } = new AbortController();
    expect((await draw(workspace, network, weights, config, { labels, seed: 5, signal })).samples).toEqual(
      (await draw(workspace, network, weights, config, { labels, seed: 5 })).samples,
    );
    store.free();
    await workspace.dispose();
  });
});

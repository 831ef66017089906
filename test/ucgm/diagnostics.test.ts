import { describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { varianceWithinLabels, velocityError } from '../../src/ucgm/diagnostics.ts';
import { testDevice } from '../gpu.ts';
import { randn } from '../reference/index.ts';

describe('signs that a training goes wrong', () => {
  it('variance within labels is that of the images that share one', () => {
    // Two labels of two images of one value: variances 2 and 0 with one degree of freedom each.
    expect(varianceWithinLabels(Float32Array.of(1, 5, 3, 5), [0, 1, 0, 1])).toBeCloseTo(1, 6);
    expect(varianceWithinLabels(Float32Array.of(1, 2, 3, 4), [0, 1, 2, 3])).toBeCloseTo(5 / 3, 6); // each occurs once
    expect(varianceWithinLabels(Float32Array.of(7, 7, 7, 7), [0, 0, 1, 1])).toBe(0);
  });

  it('an untrained network misses all of the velocity, since its last layer starts at zero', async () => {
    const workspace = new Workspace(await testDevice());
    const sizes = {
      input_size: 8,
      in_channels: 1,
      num_classes: 3,
      patch_size: 4,
      hidden_size: 16,
      depth: 1,
      num_heads: 2,
    };
    for (const two_times of [false, true]) {
      const network = createNetwork('TiT', { ...sizes, two_times });
      const weights = new WeightStore(workspace, network).trainable(0);
      const batch = { x: Float32Array.from(randn(4 * 64, 1)), labels: Uint32Array.of(0, 1, 2, 0) };
      expect(await velocityError(workspace, network, weights, 'TrigFlow', batch, 0)).toBeCloseTo(1, 5);
    }
    await workspace.dispose();
  });
});

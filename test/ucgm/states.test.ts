import { expect, it } from 'vitest';
import { createNetwork } from '../../src/models/registry.ts';
import { WeightStore } from '../../src/nn/weights.ts';
import { Workspace } from '../../src/tensor/index.ts';
import { velocities } from '../../src/ucgm/diagnostics.ts';
import { sample } from '../../src/ucgm/sampler.ts';
import { SAMPLING_DEFAULTS, timeGrid } from '../../src/ucgm/schedule.ts';
import { transportNamed } from '../../src/ucgm/transport.ts';
import { testDevice } from '../gpu.ts';

const sizes = { input_size: 8, patch_size: 4, in_channels: 1, num_classes: 3, hidden_size: 16, depth: 1, num_heads: 2 };
const network = createNetwork('TiT', sizes);
const noise = Float32Array.from({ length: 128 }, (_, i) => Math.cos(3 * i));
const labels = Uint32Array.of(0, 2);

it('the states of a sampling begin with the noise and follow the velocity by Euler steps', async () => {
  const workspace = new Workspace(await testDevice());
  const weights = new WeightStore(workspace, network).frozen('weights');
  const random = (name: string, count: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(name.length + 7 * i) / 4);
  weights.flat.values.write(
    new Map(
      network.parameters.map(({ name, shape }) => [
        name,
        random(
          name,
          shape.reduce((a, b) => a * b, 1),
        ),
      ]),
    ),
  );
  const options = { ...SAMPLING_DEFAULTS, sampling_steps: 4 };
  const { states, samples, all } = await sample(workspace, network, weights, 'Linear', options, {
    noise,
    labels,
    keepAll: true,
  });
  const times = timeGrid(options, transportNamed('Linear'));
  expect(states).toHaveLength(4);
  expect(states[0]).toEqual(noise);
  expect(all.at(-1)).toEqual(samples);
  for (let i = 0; i + 1 < states.length; i++) {
    const [xt, t, next] = [states[i] as Float32Array, times[i] as number, times[i + 1] as number];
    const f = await velocities(workspace, network, weights, { xt, labels, t });
    states[i + 1]?.forEach((value, k) => {
      expect(value).toBeCloseTo((xt[k] as number) + (next - t) * (f[k] as number), 5);
    });
  }
  await workspace.dispose();
});

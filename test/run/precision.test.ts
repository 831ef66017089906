import { expect, it } from 'vitest';
import { loadModel, type Measured, openSession, shapesDataset, train } from '../../src/run/index.ts';
import { openDevice, testDevice } from '../gpu.ts';

const data = shapesDataset({ size: 16, count: 96 });
const request = {
  preset: 'tiny',
  data,
  config: {
    model: { hidden_size: 16, depth: 1, num_heads: 2 },
    data: { batch_size: 4 },
    train: { precision: 'mixed' as const, steps: 4, log_every: 2, checkpoint_every: 2, keep_checkpoints: 1 },
    sample: { sampling_steps: 2, cfg_scale: 1 },
  },
};

it('a run in mixed precision says what it is worth here, logs its loss scale, and samples as f32 does, nearly', async () => {
  const [steps, warnings]: [Measured[], string[]] = [[], []];
  const session = await train({
    ...request,
    device: await testDevice(),
    onStep: (step) => void steps.push(step),
    onWarning: (text) => void warnings.push(text),
  });
  expect(warnings).toEqual([expect.stringContaining('precision mixed: the device has no subgroup matrices')]);
  expect(steps.map((step) => [step.lossScale, step.skipped])).toEqual(Array(4).fill([2 ** 16, 0]));
  const asked = { labels: [0, 5, 2], seed: 7 };
  const mixed = await session.sample(asked);
  const f32 = await session.sample({ ...asked, precision: 'f32' });
  const off = mixed.samples.map((v, i) => Math.abs(v - (f32.samples[i] as number)));
  expect(Math.max(...off)).toBeGreaterThan(0);
  expect(Math.max(...off)).toBeLessThan(0.02);
  const model = await loadModel(await session.save());
  const loaded = await model.sample({ device: session.device, ...asked });
  expect(loaded.samples).toEqual(f32.samples); // a model asks for no more than any device has
  const again = await model.sample({ device: session.device, ...asked, precision: 'mixed' });
  expect(again.samples).toEqual(mixed.samples);
  await model.free();
  await session.close();
});

it('a device without f16 is refused by name before anything is trained', async () => {
  const device = await openDevice({ limits: 'default', features: [] });
  await expect(openSession({ ...request, device })).rejects.toMatchObject({
    name: 'PrecisionError',
    message: expect.stringContaining('the device has no shader-f16'),
  });
  device.destroy();
});

// A training as a program, in ten lines: npm run build && node examples/session.mjs
import { loadModel, shapesDataset, train } from 'ucgm-webgpu/run';
import { openDevice } from './place.mjs';

const session = await train({
  requestDevice: openDevice, // asked again if the device is lost: the training goes on from the last checkpoint
  preset: 'tiny',
  config: { model: { hidden_size: 32, depth: 2, num_heads: 2 }, train: { sample_every: 0 } },
  data: shapesDataset({ size: 16, count: 600 }),
  steps: 120,
  onStep: ({ step, loss }) => step % 40 === 0 && console.log(`step ${step}  loss ${loss.toFixed(3)}`),
});
const drawn = await session.sample({ labels: [0, 1], seed: 7, steps: 8 });
const model = await loadModel(await session.save()); // the bytes of a file that `ucgm sample --from` reads too
const again = await model.sample({ device: session.device, labels: [0, 1], seed: 7, steps: 8 });
console.log(
  `drawn ${drawn.samples.length}, the same from the file: ${drawn.samples.every((v, i) => v === again.samples[i])}`,
);
await model.free();
await session.close();
session.device.destroy();

// A network and a loss of your own, written with the ops and trained by the learner: npm run build && node examples/own-network.mjs
import { normal, SAMPLING_DEFAULTS, STREAM, sample, uniform01 } from 'ucgm-webgpu';
import { concat, embedding, Learner, linear, squaredError, timestepEmbedding, Workspace } from 'ucgm-webgpu/nn';
import { openDevice } from './place.mjs';

const [SIZE, HIDDEN, TIME, BATCH, STEPS] = [4, 128, 32, 64, 600];
const PIXELS = SIZE * SIZE;

/** A perceptron over pixels, time and label: two hidden layers. */
const network = {
  input: [1, SIZE, SIZE],
  numClasses: 2,
  parameters: [
    { name: 'label', shape: [3, TIME], init: { draw: 'normal', scale: 0.1 } }, // label 2 is the null class
    { name: 'in.weight', shape: [HIDDEN, PIXELS + 2 * TIME], init: 'xavier' },
    { name: 'in.bias', shape: [HIDDEN], init: 'zeros' },
    { name: 'mid.weight', shape: [HIDDEN, HIDDEN], init: 'xavier' },
    { name: 'mid.bias', shape: [HIDDEN], init: 'zeros' },
    { name: 'out.weight', shape: [PIXELS, HIDDEN], init: 'zeros' },
    { name: 'out.bias', shape: [PIXELS], init: 'zeros' },
  ],
  constants: [],
  forward(tape, weights, x, t, y) {
    const w = (name) => weights.get(name);
    const batch = x.shape[0];
    const time = timestepEmbedding(tape, t, TIME); // [B, TIME]
    const label = embedding(tape, w('label'), y); // [B, TIME]
    let h = concat(tape, [x.view(batch, PIXELS), time, label]); // [B, PIXELS + 2 TIME]
    h = linear(tape, h, w('in.weight'), w('in.bias'), { act: 'gelu' }); // [B, HIDDEN]
    h = linear(tape, h, w('mid.weight'), w('mid.bias'), { act: 'gelu' }); // [B, HIDDEN]
    return linear(tape, h, w('out.weight'), w('out.bias')).view(...x.shape); // [B, 1, SIZE, SIZE]
  },
};

const device = await openDevice();
const workspace = new Workspace(device);
const learner = new Learner(workspace, network, {
  optimizer: { type: 'AdamW', lr: 4e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.95,
  maxGradNorm: null,
  seed: 0,
});

/** Label 0 is the left half lit, label 1 the upper half, in -1..1. */
const pixel = (label, i) => ((label === 0 ? i % SIZE : Math.floor(i / SIZE)) < SIZE / 2 ? 1 : -1);
const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % 2);
const x = Float32Array.from({ length: BATCH * PIXELS }, (_, i) => pixel(labels[Math.floor(i / PIXELS)], i % PIXELS));

/** Flow matching: on the way (1 - t) x + t z from an image to noise the velocity is z - x. Gives each sample's squared error. */
function flowMatching(step) {
  const t = Float32Array.from({ length: BATCH }, (_, b) => uniform01(0, STREAM.time, step, b));
  const z = Float32Array.from({ length: BATCH * PIXELS }, (_, i) => normal(0, STREAM.noise, step, i));
  const xt = x.map((v, i) => (1 - t[Math.floor(i / PIXELS)]) * v + t[Math.floor(i / PIXELS)] * z[i]);
  return (tape, weights) => {
    const put = (data, ...shape) => {
      const tensor = tape.alloc(...shape);
      workspace.stream.write(tensor, data);
      return tensor;
    };
    const image = [BATCH, 1, SIZE, SIZE];
    const velocity = network.forward(tape, weights, put(xt, ...image), put(t, BATCH), put(labels, BATCH));
    const target = put(
      z.map((v, i) => v - x[i]),
      ...image,
    );
    return squaredError(tape, velocity, target); // [B]: the learner minimises the mean
  };
}

for (let step = 1; step <= STEPS; step++) {
  await learner.step(flowMatching(step));
  if (step % 200 === 0) console.log(`step ${step}  loss ${(await learner.metrics()).at(-1).loss.toFixed(3)}`);
}

const noise = Float32Array.from({ length: 2 * PIXELS }, (_, i) => normal(0, STREAM.sample, 0, i));
const request = { noise, labels: Uint32Array.of(0, 1) };
const options = { ...SAMPLING_DEFAULTS, sampling_steps: 16 };
const { samples } = await sample(workspace, network, learner.average, 'Linear', options, request);
for (let row = 0; row < SIZE; row++) {
  const line = (n) => [...samples.subarray((n * SIZE + row) * SIZE, (n * SIZE + row + 1) * SIZE)];
  console.log(
    [0, 1]
      .map((n) =>
        line(n)
          .map((v) => (v > 0 ? '#' : '.'))
          .join(''),
      )
      .join('   '),
  );
}
await learner.free();
await workspace.dispose();
device.destroy();

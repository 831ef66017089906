// A network trained and sampled by the library, in forty lines: npm run build && node examples/train.mjs
import {
  createNetwork,
  normal,
  OBJECTIVE_DEFAULTS,
  SAMPLING_DEFAULTS,
  STREAM,
  sample,
  Trainer,
  Workspace,
} from 'ucgm-webgpu';
import { openDevice } from './place.mjs';

const [SIZE, BATCH, STEPS] = [8, 16, 150];

/** Label 0 is a disc, label 1 a vertical bar, in -1..1. */
const picture = (label) =>
  Float32Array.from({ length: SIZE * SIZE }, (_, i) => {
    const [x, y] = [(i % SIZE) - 3.5, Math.floor(i / SIZE) - 3.5];
    return (label === 0 ? Math.hypot(x, y) < 3 : Math.abs(x) < 1) ? 1 : -1;
  });
const noise = (count) => Float32Array.from({ length: count }, (_, i) => normal(0, STREAM.sample, 0, i));

const device = await openDevice();
const workspace = new Workspace(device);
const network = createNetwork('TiT', {
  input_size: SIZE,
  patch_size: 2,
  in_channels: 1,
  num_classes: 2,
  hidden_size: 32,
  depth: 2,
  num_heads: 2,
});
const trainer = new Trainer(workspace, network, BATCH, {
  objective: OBJECTIVE_DEFAULTS,
  optimizer: { type: 'AdamW', lr: 3e-3, betas: [0.9, 0.95], weight_decay: 0 },
  emaDecay: 0.95,
  maxGradNorm: null,
  seed: 0,
});
const labels = Uint32Array.from({ length: BATCH }, (_, i) => i % 2);
const x = Float32Array.from([...labels].flatMap((label) => [...picture(label)]));
for (let step = 1; step <= STEPS; step++) {
  await trainer.train({ x, labels });
  if (step % 50 === 0) console.log(`step ${step}  loss ${(await trainer.metrics()).at(-1).loss.toFixed(3)}`);
}

const wanted = Uint32Array.of(0, 1);
const options = { ...SAMPLING_DEFAULTS, sampling_steps: 8 };
const request = { noise: noise(2 * SIZE * SIZE), labels: wanted };
const { samples } = await sample(workspace, network, trainer.average, 'Linear', options, request);
for (let row = 0; row < SIZE; row++) {
  const line = (n) => [...samples.subarray((n * SIZE + row) * SIZE, (n * SIZE + row + 1) * SIZE)];
  console.log(
    [0, 1]
      .map((n) =>
        line(n)
          .map((v) => ' .+#'[Math.max(0, Math.min(3, Math.round(1.5 * (v + 1))))])
          .join(''),
      )
      .join('   '),
  );
}
await trainer.free();
await workspace.dispose();
device.destroy();

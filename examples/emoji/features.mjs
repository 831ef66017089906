// Trains a small network to tell the categories apart, for `ucgm eval --features`: node features.mjs PICTURES OUT.safetensors [STEPS]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { conv2d, crossEntropy, Learner, linear, Tape, Workspace } from 'ucgm-webgpu/nn';
import { openNodeDevice } from 'ucgm-webgpu/node';

const [pictures, out, steps = '600'] = process.argv.slice(2);
if (!out) throw new Error('give the pictures and the file to write: node features.mjs PICTURES OUT.safetensors');
const STEPS = Number(steps);
const [BATCH, FEATURES] = [64, 64];
const WIDTHS = [3, 32, 64, 96, 128]; // each convolution halves the side

/** Pictures in -1..1, [size, size, 3] each, by category. */
function load(folder) {
  const classes = readdirSync(folder).sort();
  const items = classes.flatMap((name, label) =>
    readdirSync(join(folder, name)).map((file) => {
      const { data, width: size } = PNG.sync.read(readFileSync(join(folder, name, file)));
      const pixels = new Float32Array(size * size * 3);
      for (let i = 0; i < size * size; i++) for (let c = 0; c < 3; c++) pixels[3 * i + c] = data[4 * i + c] / 127.5 - 1;
      return { pixels, label, size };
    }),
  );
  return { classes, items };
}

const train = load(join(pictures, 'train'));
const held = load(join(pictures, 'held-out'));
const SIZE = train.items[0].size;
const SIDE = SIZE / 2 ** (WIDTHS.length - 1);
const conv = (n) => [
  { name: `conv${n}.weight`, shape: [WIDTHS[n], 9 * WIDTHS[n - 1]], init: 'xavier' }, // [out, 3 x 3 x in]
  { name: `conv${n}.bias`, shape: [WIDTHS[n]], init: 'zeros' },
];
const network = {
  parameters: [
    ...WIDTHS.slice(1).flatMap((_, i) => conv(i + 1)),
    { name: 'fc1.weight', shape: [FEATURES, SIDE * SIDE * WIDTHS.at(-1)], init: 'xavier' },
    { name: 'fc1.bias', shape: [FEATURES], init: 'zeros' },
    { name: 'fc2.weight', shape: [train.classes.length, FEATURES], init: 'xavier' },
    { name: 'fc2.bias', shape: [train.classes.length], init: 'zeros' },
  ],
  constants: [],
};
const WINDOW = { size: [3, 3], stride: 2, padding: [1, 1] };

/** [B, SIZE, SIZE, 3] -> logits [B, classes]. */
function logits(tape, weights, x) {
  const w = (name) => weights.get(name);
  let h = x;
  for (let n = 1; n < WIDTHS.length; n++)
    h = conv2d(tape, h, w(`conv${n}.weight`), w(`conv${n}.bias`), WINDOW, { act: 'relu' }); // [B, SIZE / 2^n, SIZE / 2^n, WIDTHS[n]]
  h = linear(tape, h.view(x.shape[0], h.count / x.shape[0]), w('fc1.weight'), w('fc1.bias'), { act: 'relu' }); // [B, FEATURES]
  return linear(tape, h, w('fc2.weight'), w('fc2.bias'));
}

let state = 1;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

/** A picture shifted by up to four pixels, with its border repeated, and mirrored by chance. */
function varied(pixels, to) {
  const [dx, dy, mirror] = [random(9) - 4, random(9) - 4, random(2) === 1];
  const within = (v) => Math.min(SIZE - 1, Math.max(0, v));
  for (let y = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++) {
      const from = 3 * (within(y + dy) * SIZE + within((mirror ? SIZE - 1 - x : x) + dx));
      for (let c = 0; c < 3; c++) to[3 * (y * SIZE + x) + c] = pixels[from + c];
    }
}

const device = await openNodeDevice();
const workspace = new Workspace(device);
const optimizer = { type: 'AdamW', lr: 1e-3, betas: [0.9, 0.99], weight_decay: 0.05, warmup_steps: 20 };
const learner = new Learner(workspace, network, { optimizer, emaDecay: 0.98, maxGradNorm: 1, seed: 0 });
const one = 3 * SIZE * SIZE;
for (let step = 1; step <= STEPS; step++) {
  const x = new Float32Array(BATCH * one);
  const labels = new Uint32Array(BATCH);
  for (let i = 0; i < BATCH; i++) {
    const item = train.items[random(train.items.length)];
    varied(item.pixels, x.subarray(i * one, (i + 1) * one));
    labels[i] = item.label;
  }
  await learner.step((tape, weights) => {
    const images = tape.alloc(BATCH, SIZE, SIZE, 3);
    const wanted = tape.allocAs('u32', BATCH);
    workspace.stream.write(images, x);
    workspace.stream.write(wanted, labels);
    return crossEntropy(tape, logits(tape, weights, images), { labels: wanted }, { smoothing: 0.1 });
  });
  if (step % 100 === 0 || step === STEPS)
    console.log(`step ${step}  loss ${(await learner.metrics()).at(-1).loss.toFixed(3)}`);
}

/** Share of pictures whose category the averaged weights tell. */
async function accuracy({ items }) {
  let right = 0;
  for (let first = 0; first < items.length; first += BATCH) {
    const some = items.slice(first, first + BATCH);
    const x = new Float32Array(some.length * one);
    for (const [i, item] of some.entries()) x.set(item.pixels, i * one);
    const scores = await workspace.task(async () => {
      workspace.beginStep();
      const tape = new Tape(workspace, { record: false });
      const images = tape.alloc(some.length, SIZE, SIZE, 3);
      workspace.stream.write(images, x);
      return workspace.read(logits(tape, learner.average, images));
    });
    const classes = train.classes.length;
    some.forEach(({ label }, i) => {
      const row = [...scores.subarray(i * classes, (i + 1) * classes)];
      if (row.indexOf(Math.max(...row)) === label) right++;
    });
  }
  return right / items.length;
}
const percent = (share) => `${(100 * share).toFixed(1)}%`;
console.log(
  `categories right: ${percent(await accuracy(train))} of train, ${percent(await accuracy(held))} of held-out`,
);

/** [out, inner, channels] -> [out, channels, inner], as torch has them. */
function channelsFirst(values, rows, channels) {
  const inner = values.length / rows / channels;
  return values.map((_, i) => {
    const [row, c, at] = [Math.floor(i / (channels * inner)), Math.floor(i / inner) % channels, i % inner];
    return values[(row * inner + at) * channels + c];
  });
}

const NOTE = [
  ...WIDTHS.slice(1).map((width, i) => `conv3x3 s2 p1 ${WIDTHS[i]}-${width}, relu`),
  `flatten (c,h,w), fc ${SIDE * SIDE * WIDTHS.at(-1)}-${FEATURES}, relu = features`,
].join(', ');
const note = `${NOTE}; fc ${FEATURES}-${train.classes.length}. Input ${SIZE}x${SIZE} in [-1,1]. Categories of emoji.`;
const values = await learner.average.flat.values.read();
const tensors = network.parameters.map(({ name, shape }) => {
  const given = values.get(name);
  const n = Number(/^conv(\d)\.weight$/.exec(name)?.[1]);
  if (n) return { name, shape: [WIDTHS[n], WIDTHS[n - 1], 3, 3], data: channelsFirst(given, WIDTHS[n], WIDTHS[n - 1]) };
  return { name, shape, data: name === 'fc1.weight' ? channelsFirst(given, FEATURES, WIDTHS.at(-1)) : given };
});
writeSafetensors(out, tensors, { note });
console.log(`${out}: ${note}`);
await learner.free();
await workspace.dispose();
device.destroy();

function writeSafetensors(path, tensors, metadata) {
  let end = 0;
  const entries = tensors.map(({ name, shape, data }) => {
    const begin = end;
    end += data.byteLength;
    return [name, { dtype: 'F32', shape, data_offsets: [begin, end] }];
  });
  const header = Buffer.from(JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(entries) }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const bytes = tensors.map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  writeFileSync(path, Buffer.concat([length, header, ...bytes]));
}

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { featureNetwork, readFeatures } from '../../../src/cli/features.ts';
import { loadDigits } from '../../../src/data/digits.node.ts';
import { embed } from '../../../src/metrics/embed.ts';
import { ModelError } from '../../../src/models/config.ts';
import { parseDescription } from '../../../src/models/features/layers.ts';
import { type HostWeights, smallCnn } from '../../../src/models/features/small_cnn.ts';
import { Workspace } from '../../../src/tensor/index.ts';
import { testDevice } from '../../gpu.ts';
import { randn, relError } from '../../reference/index.ts';

const DESCRIPTION =
  'conv3x3 s2 p1 2-5, relu, conv5x5 p1 5-3, flatten (c,h,w), fc 48-7, relu = features; fc 7-4. Input 11x12 in [-1,1].';
const [HEIGHT, WIDTH] = [11, 12];

function weightsOf(): Map<string, HostWeights> {
  const shapes: [string, number[]][] = [
    ['conv1.weight', [5, 2, 3, 3]],
    ['conv1.bias', [5]],
    ['conv2.weight', [3, 5, 5, 5]],
    ['conv2.bias', [3]],
    ['fc1.weight', [7, 48]],
    ['fc1.bias', [7]],
    ['fc2.weight', [4, 7]],
    ['fc2.bias', [4]],
  ];
  return new Map(
    shapes.map(([name, shape], i) => {
      const count = shape.reduce((a, b) => a * b, 1);
      const scale = 1 / Math.sqrt(count / (shape[0] as number));
      return [name, { shape, data: Float32Array.from(randn(count, i + 1), (v) => v * scale) }];
    }),
  );
}

/** The same network in f64, on images [C, H, W] and with torch's order of everything. */
function plain(weights: Map<string, HostWeights>, image: Float64Array) {
  const w = (name: string) => weights.get(name)?.data as Float32Array;
  const conv = (
    x: Float64Array,
    c: number,
    h: number,
    width: number,
    name: string,
    out: number,
    k: number,
    s: number,
    p: number,
  ) => {
    const [oh, ow] = [Math.floor((h + 2 * p - k) / s) + 1, Math.floor((width + 2 * p - k) / s) + 1];
    const y = new Float64Array(out * oh * ow);
    for (let o = 0; o < out; o++)
      for (let i = 0; i < oh * ow; i++) {
        let sum = w(`${name}.bias`)[o] as number;
        for (let ci = 0; ci < c; ci++)
          for (let kk = 0; kk < k * k; kk++) {
            const row = Math.floor(i / ow) * s - p + Math.floor(kk / k);
            const col = (i % ow) * s - p + (kk % k);
            if (row < 0 || col < 0 || row >= h || col >= width) continue;
            sum +=
              (x[(ci * h + row) * width + col] as number) * (w(`${name}.weight`)[(o * c + ci) * k * k + kk] as number);
          }
        y[o * oh * ow + i] = sum;
      }
    return y;
  };
  const fc = (x: Float64Array, name: string, out: number) =>
    Float64Array.from({ length: out }, (_, o) =>
      x.reduce(
        (sum, v, i) => sum + v * (w(`${name}.weight`)[o * x.length + i] as number),
        w(`${name}.bias`)[o] as number,
      ),
    );
  const relu = (x: Float64Array) => x.map((v) => Math.max(0, v));
  const first = relu(conv(image, 2, HEIGHT, WIDTH, 'conv1', 5, 3, 2, 1));
  const second = conv(first, 5, 6, 6, 'conv2', 3, 5, 1, 1);
  const features = relu(fc(second, 'fc1', 7));
  return { features, logits: fc(features, 'fc2', 4) };
}

describe('a feature network from its description', () => {
  const workspaces: Workspace[] = [];
  const fresh = async () => {
    const workspace = new Workspace(await testDevice());
    workspaces.push(workspace);
    return workspace;
  };
  afterAll(async () => {
    for (const workspace of workspaces) await workspace.dispose();
  });

  it('computes what the words say, images clamped and cropped to their centre', async () => {
    const workspace = await fresh();
    const weights = weightsOf();
    const network = smallCnn(workspace, DESCRIPTION, weights, 'test');
    const [n, height, width] = [5, 14, 13];
    const pixels = Float32Array.from(randn(n * 2 * height * width, 40));
    const one = 2 * height * width;
    const found = await embed(workspace, network, {
      size: n,
      channels: 2,
      height,
      width,
      image: (i, out, offset) => out.set(pixels.subarray(i * one, (i + 1) * one), offset),
    });
    expect(network.dim).toBe(7);
    for (let i = 0; i < n; i++) {
      const cropped = new Float64Array(2 * HEIGHT * WIDTH);
      for (let c = 0; c < 2; c++)
        for (let y = 0; y < HEIGHT; y++)
          for (let x = 0; x < WIDTH; x++) {
            const value = pixels[i * one + (c * height + y + 1) * width + x] as number;
            cropped[(c * HEIGHT + y) * WIDTH + x] = Math.min(1, Math.max(-1, value));
          }
      const { features, logits } = plain(weights, cropped);
      expect(relError(found.features.subarray(i * 7, (i + 1) * 7), features)).toBeLessThan(1e-5);
      expect(found.classes?.[i]).toBe(logits.indexOf(Math.max(...logits)));
    }
    network.free();
  });

  it('that comes along reads handwritten digits', async () => {
    const workspace = await fresh();
    const digits = await loadDigits();
    const network = featureNetwork(workspace, readFeatures(digits, undefined));
    const { channels, height, width } = digits;
    const some = {
      channels,
      height,
      width,
      size: 300,
      image: (i: number, out: Float32Array, at: number) => digits.image(i * 30, out, at),
    };
    const { classes } = await embed(workspace, network, some);
    const right = classes?.reduce((sum, c, i) => sum + (c === digits.labels[i * 30] ? 1 : 0), 0) ?? 0;
    console.log(`${right} of 300 digits read`);
    expect(right).toBeGreaterThan(285);
  });

  it.each([
    [DESCRIPTION.replace('= features', ''), 'cannot be read'],
    [DESCRIPTION.replace('relu,', 'tanh,'), 'a layer "tanh"'],
    [DESCRIPTION.replace('conv3x3', 'conv3x5'), 'a layer "conv3x5'],
    [DESCRIPTION.replace('5-3', '6-3'), 'conv2 takes 6 channels and gets 5'],
    [DESCRIPTION.replace('48-7', '40-7'), 'fc1 takes 40 numbers'],
    [DESCRIPTION.replace('fc 7-4', 'fc 7-5'), 'fc2.weight is [4,7], its description asks for [5,7]'],
    [DESCRIPTION.replace('(c,h,w),', '(c,h,w), relu,'), 'relu follows flatten'],
    ['relu = features. Input 11x12 in [-1,1].', 'does not begin with a convolution'],
  ])('is refused by name: %j', async (text, message) => {
    const workspace = await fresh();
    expect(() => smallCnn(workspace, text, weightsOf(), 'f')).toThrow(ModelError);
    expect(() => smallCnn(workspace, text, weightsOf(), 'f')).toThrow(message);
  });

  it('is refused for images that do not fit', async () => {
    const workspace = await fresh();
    const network = smallCnn(workspace, DESCRIPTION, weightsOf(), 'f');
    const images = { size: 1, channels: 2, height: 8, width: 12, image: () => {} };
    await expect(embed(workspace, network, images)).rejects.toThrow('the images are 2 x 8 x 12');
  });

  it('is refused for images that hold a NaN', async () => {
    const network = smallCnn(await fresh(), DESCRIPTION, weightsOf(), 'f');
    const image = (_: number, out: Float32Array) => out.fill(0).fill(Number.NaN, 0, out.length - 1);
    const images = { size: 1, channels: 2, height: HEIGHT, width: WIDTH, image };
    await expect(embed(await fresh(), network, images)).rejects.toThrow('images are not numbers');
  });

  it('ends between two batches of images at a signal', async () => {
    const network = smallCnn(await fresh(), DESCRIPTION, weightsOf(), 'f');
    const controller = new AbortController();
    let asked = 0;
    const image = (index: number, out: Float32Array) => {
      asked++;
      if (index === 250) controller.abort(new Error('enough')); // the first of the second batch
      out.fill(0.5);
    };
    const images = { size: 1000, channels: 2, height: HEIGHT, width: WIDTH, image };
    await expect(embed(await fresh(), network, images, { signal: controller.signal })).rejects.toThrow('enough');
    expect(asked).toBe(500);
  });

  it('reads the description of the file that comes along', () => {
    const path = join(import.meta.dirname, '../../models/mnist_features.safetensors');
    const text =
      'conv3x3 s2 p1 1-32, relu, conv3x3 s2 p1 32-64, relu, flatten (c,h,w), fc 3136-128, relu = features; fc 128-10. Input 28x28 in [-1,1]. mu, sigma: more';
    const { body, head, height } = parseDescription(text, path);
    expect(body.map((layer) => layer.kind)).toEqual(['conv', 'relu', 'conv', 'relu', 'flatten', 'fc', 'relu']);
    expect(head).toEqual([{ kind: 'fc', inputs: 128, outputs: 10 }]);
    expect(height).toBe(28);
  });
});

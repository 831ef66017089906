import { afterAll, describe, expect, it } from 'vitest';
import { Tape } from '../../../src/autograd/tape.ts';
import { embed } from '../../../src/metrics/embed.ts';
import { ModelError } from '../../../src/models/config.ts';
import { foldInception } from '../../../src/models/features/fold_batch_norm.ts';
import { inceptionNetwork } from '../../../src/models/features/inception.ts';
import { inception, inceptionConvs } from '../../../src/models/features/inception_layers.ts';
import type { HostWeights } from '../../../src/models/features/small_cnn.ts';
import { Workspace } from '../../../src/tensor/index.ts';
import { testDevice } from '../../gpu.ts';
import { randn, relError } from '../../reference/index.ts';

/** A sixteenth of the channels, so that f64 on the host is quick. */
const DIVISOR = 16;

/** PyTorch's state of a narrow network: convolutions, and batch norms that do something. */
function state(): Map<string, HostWeights> {
  const tensors = new Map<string, HostWeights>();
  inceptionConvs(DIVISOR).forEach(({ name, inputs, outputs, size }, i) => {
    const each = inputs * size[0] * size[1];
    const put = (suffix: string, shape: number[], data: Float64Array) =>
      tensors.set(`${name}.${suffix}`, { shape, data: Float32Array.from(data) });
    put(
      'conv.weight',
      [outputs, inputs, ...size],
      randn(outputs * each, 5 * i + 1).map((v) => v * Math.sqrt(2 / each)),
    );
    put(
      'bn.weight',
      [outputs],
      randn(outputs, 5 * i + 2).map((v) => 1 + 0.1 * v),
    );
    put(
      'bn.bias',
      [outputs],
      randn(outputs, 5 * i + 3).map((v) => 0.1 * v),
    );
    put(
      'bn.running_mean',
      [outputs],
      randn(outputs, 5 * i + 4).map((v) => 0.1 * v),
    );
    put(
      'bn.running_var',
      [outputs],
      randn(outputs, 5 * i + 5).map((v) => 0.5 + Math.abs(v)),
    );
  });
  return tensors;
}

/** An image in f64, channel first. */
interface Image {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly at: Float64Array;
}

/** The network in f64 as PyTorch runs it: convolution, then batch norm by its running numbers, then ReLU. */
function reference(tensors: Map<string, HostWeights>, image: Image): Float64Array {
  const read = (name: string) => tensors.get(name)?.data as Float32Array;
  const windows = (x: Image, size: readonly [number, number], stride: number, padding: readonly [number, number]) => {
    const h = Math.floor((x.h + 2 * padding[0] - size[0]) / stride) + 1;
    const w = Math.floor((x.w + 2 * padding[1] - size[1]) / stride) + 1;
    const visit = (row: number, col: number, see: (y: number, x: number, k: number) => void) => {
      for (let k = 0; k < size[0] * size[1]; k++) {
        const y = row * stride - padding[0] + Math.floor(k / size[1]);
        const xx = col * stride - padding[1] + (k % size[1]);
        if (y >= 0 && xx >= 0 && y < x.h && xx < x.w) see(y, xx, k);
      }
    };
    return { h, w, visit };
  };
  const result = inception<Image>(
    {
      conv(x, name, c, size, stride, padding) {
        const { h, w, visit } = windows(x, size, stride, padding);
        const [kernel, area] = [read(`${name}.conv.weight`), size[0] * size[1]];
        const bn = (s: string, o: number) => read(`${name}.bn.${s}`)[o] as number;
        const at = new Float64Array(c * h * w);
        for (let o = 0; o < c; o++)
          for (let i = 0; i < h * w; i++) {
            let sum = 0;
            visit(Math.floor(i / w), i % w, (y, xx, k) => {
              for (let ci = 0; ci < x.c; ci++)
                sum += (x.at[(ci * x.h + y) * x.w + xx] as number) * (kernel[(o * x.c + ci) * area + k] as number);
            });
            const normal = (sum - bn('running_mean', o)) / Math.sqrt(bn('running_var', o) + 1e-3);
            at[o * h * w + i] = Math.max(0, normal * bn('weight', o) + bn('bias', o));
          }
        return { c, h, w, at };
      },
      pool(x, kind, stride, padding) {
        const { h, w, visit } = windows(x, [3, 3], stride, [padding, padding]);
        const at = new Float64Array(x.c * h * w);
        for (let ci = 0; ci < x.c; ci++)
          for (let i = 0; i < h * w; i++) {
            const seen: number[] = [];
            visit(Math.floor(i / w), i % w, (y, xx) => seen.push(x.at[(ci * x.h + y) * x.w + xx] as number));
            at[ci * h * w + i] = kind === 'max' ? Math.max(...seen) : seen.reduce((a, b) => a + b, 0) / seen.length;
          }
        return { c: x.c, h, w, at };
      },
      concat(parts) {
        const { h, w } = parts[0] as Image;
        return {
          c: parts.reduce((sum, p) => sum + p.c, 0),
          h,
          w,
          at: Float64Array.from(parts.flatMap((p) => [...p.at])),
        };
      },
      mean: (x) => ({
        c: x.c,
        h: 1,
        w: 1,
        at: Float64Array.from({ length: x.c }, (_, ci) => {
          const plane = x.at.subarray(ci * x.h * x.w, (ci + 1) * x.h * x.w);
          return plane.reduce((a, b) => a + b, 0) / plane.length;
        }),
      }),
      part: (_, body) => body(),
    },
    image,
    DIVISOR,
  );
  return result.at;
}

describe('Inception-v3', () => {
  const workspaces: Workspace[] = [];
  const fresh = async () => {
    const workspace = new Workspace(await testDevice());
    workspaces.push(workspace);
    return workspace;
  };
  afterAll(async () => {
    for (const workspace of workspaces) await workspace.dispose();
  });

  it('has the published layers: 94 convolutions, 21.8 million weights, 2,048 features', () => {
    const convs = inceptionConvs();
    expect(convs).toHaveLength(94);
    const weights = convs.reduce((sum, { inputs, outputs, size }) => sum + inputs * outputs * size[0] * size[1], 0);
    // torchvision's Inception-v3 without its auxiliary and last classifier: 21,785,568, batch norms (2 a channel) among them.
    expect(weights + convs.reduce((sum, { outputs }) => sum + 2 * outputs, 0)).toBe(21_785_568);
    expect(convs.find(({ name }) => name === 'Mixed_7c.branch3x3dbl_1')).toMatchObject({ inputs: 2048, outputs: 448 });
  });

  it('computes what PyTorch computes, batch norms folded in: narrow, against f64', async () => {
    const workspace = await fresh();
    const tensors = state();
    const network = inceptionNetwork(workspace, foldInception(tensors, 'state', DIVISOR), 'state', DIVISOR);
    const side = 79; // odd sizes in every layer
    const pixels = randn(2 * 3 * side * side, 999).map((v) => Math.tanh(v));
    const last = new Float32Array(pixels.length);
    for (let b = 0; b < 2; b++)
      for (let i = 0; i < side * side; i++)
        for (let c = 0; c < 3; c++)
          last[(b * side * side + i) * 3 + c] = pixels[(b * 3 + c) * side * side + i] as number;
    workspace.beginStep();
    const tape = new Tape(workspace, { record: false });
    const x = tape.alloc(2, side, side, 3); // [B, H, W, C]
    workspace.stream.write(x, last);
    const features = await workspace.read(network.forward(tape, x).features);
    for (let b = 0; b < 2; b++) {
      const at = Float64Array.from(pixels.subarray(b * 3 * side * side, (b + 1) * 3 * side * side), Math.fround);
      const expected = reference(tensors, { c: 3, h: side, w: side, at });
      expect(expected.some((v) => v > 0.01)).toBe(true);
      const error = relError(features.subarray(b * 128, (b + 1) * 128), expected);
      console.log(`narrow Inception-v3: relative error ${error.toExponential(1)}`);
      expect(error).toBeLessThan(1e-5);
    }
    network.free();
  });

  it('sees images resized to 299 x 299 from 8 bits, grey in all channels', async () => {
    const workspace = await fresh();
    const network = inceptionNetwork(workspace, foldInception(state(), 'state', DIVISOR), 'state', DIVISOR);
    const seen: Float32Array[] = [];
    const spy = {
      ...network,
      dim: 3 * 299 * 299,
      forward: (tape: Tape, images: Parameters<typeof network.forward>[1]) => {
        expect(images.shape).toEqual([1, 299, 299, 3]);
        void tape;
        return { features: images.view(1, 3 * 299 * 299) };
      },
    };
    const [height, width] = [3, 5];
    const pixels = Float32Array.from(randn(height * width, 3), (v) => v / 2);
    const image = (_: number, out: Float32Array) => out.set(pixels);
    seen.push((await embed(workspace, spy, { size: 1, channels: 1, height, width, image })).features);
    const eight = (y: number, x: number) => {
      const value = Math.min(1, Math.max(-1, pixels[y * width + x] as number));
      return Math.round(((value + 1) / 2) * 255) / 127.5 - 1;
    };
    for (const [row, col] of [
      [0, 0],
      [150, 149],
      [298, 298],
      [77, 203],
    ] as const) {
      const y = Math.max(0, ((row + 0.5) * height) / 299 - 0.5);
      const x = Math.max(0, ((col + 0.5) * width) / 299 - 0.5);
      const [y0, x0] = [Math.floor(y), Math.floor(x)];
      const [y1, x1] = [Math.min(y0 + 1, height - 1), Math.min(x0 + 1, width - 1)];
      const expected =
        (eight(y0, x0) * (1 - (x - x0)) + eight(y0, x1) * (x - x0)) * (1 - (y - y0)) +
        (eight(y1, x0) * (1 - (x - x0)) + eight(y1, x1) * (x - x0)) * (y - y0);
      for (let c = 0; c < 3; c++) expect(seen[0]?.[(row * 299 + col) * 3 + c]).toBeCloseTo(expected, 5);
    }
  });

  it('names the first weight that is missing or of another shape', async () => {
    const workspace = await fresh();
    const missing = state();
    missing.delete('Mixed_6b.branch7x7_2.bn.running_var');
    expect(() => foldInception(missing, 'f.pth', DIVISOR)).toThrow(ModelError);
    expect(() => foldInception(missing, 'f.pth', DIVISOR)).toThrow('Mixed_6b.branch7x7_2.bn.running_var is missing');
    expect(() => foldInception(state(), 'f.pth')).toThrow(
      'Conv2d_1a_3x3.conv.weight is [2,3,3,3], Inception-v3 has [32,3,3,3]',
    );
    expect(() => inceptionNetwork(workspace, new Map(), 'f')).toThrow('convert --features inception-v3');
  });
});

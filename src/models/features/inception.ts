import { concat } from '../../autograd/ops/concat.ts';
import { conv2d, pool2d } from '../../autograd/ops/convolution.ts';
import type { Tape } from '../../autograd/tape.ts';
import type { Tensor, Workspace } from '../../tensor/index.ts';
import { ModelError } from '../config.ts';
import type { FeatureNetwork } from './feature_network.ts';
import { INCEPTION_FEATURES, inception, inceptionConvs } from './inception_layers.ts';
import { channelLast, type HostWeights } from './small_cnn.ts';

/** Bytes of one image in the third layer, the widest: 147 x 147 x 64 floats. */
const WIDEST_BYTES = 147 * 147 * 64 * 4;
const MOST_IMAGES = 32;
const SIDE = 299;

/**
 * Inception-v3 with weights of `ucgm convert --features inception-v3`: NAME.weight [out, in, kh, kw] and NAME.bias [out] of each
 * convolution, batch norm folded in. Only with the weights of the FID community are its Frechet distances FID (Heusel et al. 2017).
 * @throws ModelError for a weight that is missing or of another shape.
 */
export function inceptionNetwork(
  workspace: Workspace,
  weights: ReadonlyMap<string, HostWeights>,
  where: string,
  divisor = 1,
): FeatureNetwork {
  const placed = new Map<string, { weight: Tensor; bias: Tensor }>();
  for (const { name, inputs, outputs, size } of inceptionConvs(divisor)) {
    const read = (suffix: string, shape: readonly number[]) => {
      const found = weights.get(`${name}.${suffix}`);
      if (!found || found.shape.join() !== shape.join())
        throw new ModelError(
          `${where}: ${name}.${suffix} ${found ? `is [${found.shape}]` : 'is missing'}, Inception-v3 has [${shape}]`,
          'make the file with ucgm convert --features inception-v3',
        );
      return found.data;
    };
    const area = size[0] * size[1];
    const weight = workspace.create('parameter', `${name}.weight`, [outputs, area * inputs]);
    const bias = workspace.create('parameter', `${name}.bias`, [outputs]);
    workspace.stream.write(weight, channelLast(read('weight', [outputs, inputs, ...size]), outputs, inputs, area));
    workspace.stream.write(bias, read('bias', [outputs]));
    placed.set(name, { weight, bias });
  }
  const dim = INCEPTION_FEATURES / divisor;
  const { maxStorageBufferBindingSize: most } = workspace.device.limits;
  return {
    name: 'Inception-v3',
    dim,
    input: [3, SIDE, SIDE],
    fit: 'resize',
    batch: Math.max(1, Math.min(MOST_IMAGES, Math.floor((most * divisor) / WIDEST_BYTES))),
    forward: (tape, images) => ({ features: run(tape, placed, images, divisor) }),
    free() {
      for (const { weight, bias } of placed.values()) {
        workspace.free(weight);
        workspace.free(bias);
      }
    },
  };
}

function run(
  tape: Tape,
  placed: ReadonlyMap<string, { weight: Tensor; bias: Tensor }>,
  images: Tensor,
  divisor: number,
): Tensor {
  return inception<Tensor>(
    {
      conv(x, name, _, size, stride, padding) {
        const { weight, bias } = placed.get(name) as { weight: Tensor; bias: Tensor };
        return conv2d(tape, x, weight, bias, { size, stride, padding }, { act: 'relu' });
      },
      pool: (x, kind, stride, padding) => pool2d(tape, x, kind, { size: [3, 3], stride, padding: [padding, padding] }),
      concat: (parts) => concat(tape, parts),
      mean(x) {
        const [batch, height, width, channels] = x.shape as [number, number, number, number];
        return pool2d(tape, x, 'mean', { size: [height, width] }).view(batch, channels);
      },
      part(x, body) {
        const y = tape.block([x], body);
        if (!tape.recording) tape.release(x); // dead: it was this part's alone
        return y;
      },
    },
    images,
    divisor,
  );
}

import { ModelError } from '../config.ts';
import { inceptionConvs } from './inception_layers.ts';
import type { HostWeights } from './small_cnn.ts';

/** eps of Inception-v3's batch norms. */
const EPS = 1e-3;

/**
 * Inception-v3's weights out of its PyTorch state: NAME.conv.weight and NAME.bn.{weight, bias, running_mean, running_var} of
 * each convolution become NAME.weight and NAME.bias, w g / sqrt(var + eps) and b - mean g / sqrt(var + eps), in f64.
 * @throws ModelError for a tensor that is missing or of another shape.
 */
export function foldInception(
  tensors: ReadonlyMap<string, HostWeights>,
  where: string,
  divisor = 1,
): Map<string, HostWeights> {
  const folded = new Map<string, HostWeights>();
  for (const { name, inputs, outputs, size } of inceptionConvs(divisor)) {
    const read = (suffix: string, shape: readonly number[]) => {
      const found = tensors.get(`${name}.${suffix}`);
      if (!found || found.shape.join() !== shape.join())
        throw new ModelError(
          `${where}: ${name}.${suffix} ${found ? `is [${found.shape}]` : 'is missing'}, Inception-v3 has [${shape}]`,
          'give the PyTorch weights of Inception-v3 for FID',
        );
      return found.data;
    };
    const shape = [outputs, inputs, ...size];
    const weight = read('conv.weight', shape);
    const [gain, shift, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((s) =>
      read(`bn.${s}`, [outputs]),
    ) as [Float32Array, Float32Array, Float32Array, Float32Array];
    const factor = Float64Array.from(gain, (g, o) => g / Math.sqrt((variance[o] as number) + EPS));
    const each = weight.length / outputs;
    folded.set(`${name}.weight`, {
      shape,
      data: weight.map((w, i) => w * (factor[Math.floor(i / each)] as number)),
    });
    folded.set(`${name}.bias`, {
      shape: [outputs],
      data: Float32Array.from(shift, (b, o) => b - (mean[o] as number) * (factor[o] as number)),
    });
  }
  return folded;
}

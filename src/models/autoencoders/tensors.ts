import { channelLast } from '../features/small_cnn.ts';
import type { NetworkTensor } from './architecture.ts';

/** A convolution's weights [out, in, kh, kw] of a file, as [out, kh kw in]; and its bias [out]. */
export function convTensors(
  name: string,
  out: number,
  into: number,
  side: number,
  { bias = true, groups = 1 }: { bias?: boolean; groups?: number } = {},
): NetworkTensor[] {
  const [depth, area] = [into / groups, side * side];
  const weight: NetworkTensor = {
    name: `${name}.weight`,
    shape: [out, area * depth],
    of: [{ name: `${name}.weight`, shape: [out, depth, side, side] }],
    grouped: groups > 1,
    arrange: ([values]) => channelLast(values as Float32Array<ArrayBuffer>, out, depth, area),
  };
  return bias ? [weight, vector(`${name}.bias`, out)] : [weight];
}

/** A norm's weight and bias [channels]. */
export function normTensors(name: string, channels: number): NetworkTensor[] {
  return [vector(`${name}.weight`, channels), vector(`${name}.bias`, channels)];
}

export function vector(name: string, length: number): NetworkTensor {
  return { name, shape: [length], of: [{ name, shape: [length] }] };
}

/** A convolution without bias and the batch norm behind it, in use, as one convolution with bias. */
export function batchNormedConv(
  name: string,
  norm: string,
  out: number,
  into: number,
  side: number,
  eps: number,
): NetworkTensor[] {
  const [area, row] = [side * side, into * side * side];
  const of = (suffix: string) => ({ name: `${norm}.${suffix}`, shape: [out] });
  const [gain, variance] = [of('weight'), of('running_var')];
  return [
    {
      name: `${name}.weight`,
      shape: [out, row],
      of: [{ name: `${name}.weight`, shape: [out, into, side, side] }, gain, variance],
      arrange: ([values, gains, variances]) =>
        channelLast(values as Float32Array<ArrayBuffer>, out, into, area).map(
          (v, i) => v * factor(gains, variances, Math.floor(i / row), eps),
        ),
    },
    {
      name: `${name}.bias`,
      shape: [out],
      of: [of('bias'), gain, variance, of('running_mean')],
      arrange: ([shifts, gains, variances, means]) =>
        Float32Array.from(
          shifts as Float32Array,
          (v, i) => v - (means?.[i] as number) * factor(gains, variances, i, eps),
        ),
    },
  ];
}

const factor = (gains: Float32Array | undefined, variances: Float32Array | undefined, i: number, eps: number): number =>
  (gains?.[i] as number) / Math.sqrt((variances?.[i] as number) + eps);

/** Tensors whose rows' second half comes first. */
export function swappedHalves(tensors: readonly NetworkTensor[]): NetworkTensor[] {
  return tensors.map((tensor) => ({
    ...tensor,
    arrange: (values) => {
      const own = tensor.arrange?.(values) ?? (values[0] as Float32Array<ArrayBuffer>);
      const swapped = new Float32Array(own.length);
      swapped.set(own.subarray(own.length / 2));
      swapped.set(own.subarray(0, own.length / 2), own.length / 2);
      return swapped;
    },
  }));
}

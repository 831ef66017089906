import { channelLast } from '../features/small_cnn.ts';
import type { NetworkTensor } from './architecture.ts';

/** A convolution's weights [out, in, kh, kw] of a file, as [out, kh kw in]; and its bias [out]. Each times `scale`. */
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

import { float32ToHalf } from '../kernel/index.ts';
import { RunError } from './errors.ts';

const INFINITY = 0x7c00;

/** Floats as bits of half precision. @throws RunError that names the tensor where a finite number would become infinite. */
export function halves(name: string, values: Float32Array): Uint16Array {
  const out = float32ToHalf(values);
  const lost = out.findIndex((bits, i) => (bits & 0x7fff) === INFINITY && Number.isFinite(values[i]));
  if (lost >= 0)
    throw new RunError(
      `${name} holds ${values[lost]}, which half precision cannot`,
      'convert with --dtype f32, or without it; an export has half precision',
    );
  return out;
}

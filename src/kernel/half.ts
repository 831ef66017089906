/** The floats of IEEE half-precision numbers from their 16 bits: exact, as every half is a float. */
export function halfToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i] as number;
    const sign = (half & 0x8000) << 16;
    const magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) words[i] = sign | FLOAT_INFINITY | (magnitude << 13);
    else if (magnitude >= 0x400)
      words[i] = sign | ((magnitude << 13) + (112 << 23)); // the biases differ by 112
    else out[i] = (sign ? -magnitude : magnitude) * 2 ** -24; // no leading one
  }
  return out;
}

/** Magnitudes as the bits of a float: from here on a half is infinite (65520, the tie above the greatest half, goes up). */
const HALF_OVERFLOWS = 0x477ff000;
/** 2^-14 as the bits of a float: below it a half has no leading one. */
const HALF_NORMAL = 0x38800000;
const FLOAT_INFINITY = 0x7f800000;

/** Floats as the bits of IEEE half-precision numbers, each the nearest one, ties to even. */
export function float32ToHalf(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length);
  const one = new Float32Array(1);
  const word = new Uint32Array(one.buffer);
  for (let i = 0; i < values.length; i++) {
    one[0] = values[i] as number;
    const bits = word[0] as number;
    const sign = (bits >>> 16) & 0x8000;
    const magnitude = bits & 0x7fffffff;
    if (magnitude > FLOAT_INFINITY) out[i] = sign | 0x7e00;
    else if (magnitude >= HALF_OVERFLOWS) out[i] = sign | 0x7c00;
    else if (magnitude < HALF_NORMAL) out[i] = sign | roundToEven(Math.abs(values[i] as number) * 2 ** 24);
    else {
      // Thirteen bits fall away; a carry out of the fraction raises the exponent, as it must.
      const rounded = (magnitude + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
      out[i] = sign | (rounded - (112 << 10));
    }
  }
  return out;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor + (floor % 2);
  return rest > 0.5 ? floor + 1 : floor;
}

/** The floats of bfloat16 numbers from their 16 bits: exact, as their bits are a float's upper half. */
export function bfloatToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Float32Array(bits.length);
  const words = new Uint32Array(out.buffer);
  for (let i = 0; i < bits.length; i++) words[i] = (bits[i] as number) << 16;
  return out;
}

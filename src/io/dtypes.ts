import { bfloatToFloat32, halfToFloat32 } from '../kernel/index.ts';
import { IoError } from './errors.ts';

/** Bytes an element, for each dtype of the safetensors format that is read here. */
export const DTYPE_BYTES: ReadonlyMap<string, number> = new Map([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['U16', 2],
  ['I16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['U32', 4],
  ['I32', 4],
  ['F32', 4],
  ['U64', 8],
  ['I64', 8],
  ['F64', 8],
]);

/**
 * A tensor's elements as floats, in a new array; wider types round to the nearest float.
 * @param tensor data may begin at any byte: little-endian, whole elements.
 * @throws IoError for a dtype without a conversion or a length that is no whole number of elements.
 */
export function toFloat32(tensor: { readonly dtype: string; readonly data: Uint8Array }): Float32Array<ArrayBuffer> {
  const { dtype, data } = tensor;
  const width = DTYPE_BYTES.get(dtype);
  if (width === undefined) {
    throw new IoError(
      'dtype',
      `a tensor of dtype ${dtype}`,
      'it has no conversion to float',
      `use one of ${[...DTYPE_BYTES.keys()].join(', ')}`,
    );
  }
  if (data.byteLength % width !== 0) {
    throw new IoError(
      'size',
      `a tensor of dtype ${dtype}`,
      `${data.byteLength} bytes are no multiple of ${width}`,
      'pass whole elements',
    );
  }
  // The copy starts at byte 0 of its buffer, so that typed arrays, which demand alignment, can read it.
  const copy = new Uint8Array(data.byteLength);
  copy.set(data);
  const { buffer } = copy;
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F64':
      return Float32Array.from(new Float64Array(buffer));
    case 'F16':
      return halfToFloat32(new Uint16Array(buffer));
    case 'BF16':
      return bfloatToFloat32(new Uint16Array(buffer));
    case 'I32':
      return Float32Array.from(new Int32Array(buffer));
    case 'U32':
      return Float32Array.from(new Uint32Array(buffer));
    case 'I16':
      return Float32Array.from(new Int16Array(buffer));
    case 'U16':
      return Float32Array.from(new Uint16Array(buffer));
    case 'I8':
      return Float32Array.from(new Int8Array(buffer));
    case 'I64':
      return Float32Array.from(Array.from(new BigInt64Array(buffer), Number));
    case 'U64':
      return Float32Array.from(Array.from(new BigUint64Array(buffer), Number));
    default:
      return Float32Array.from(copy); // U8 and BOOL
  }
}

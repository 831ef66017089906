import { DTYPE_BYTES } from './dtypes.ts';
import { IoError } from './errors.ts';
import { quote } from './quote.ts';
import type { RawTensor } from './safetensors.ts';

/** A storage of torch: a flat array that tensors look into. `data` is a view into the file. */
export class TorchStorage {
  readonly dtype: string;
  readonly data: Uint8Array;

  constructor(dtype: string, data: Uint8Array) {
    this.dtype = dtype;
    this.data = data;
  }
}

/** As many dimensions as torch itself allows. */
const MAX_DIMENSIONS = 64;
const FIX = 'save the file again with torch.save';

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) &&
  value.length <= MAX_DIMENSIONS &&
  value.every((item) => Number.isSafeInteger(item) && item >= 0);

/**
 * Makes the tensors of one file from storage, offset, shape and strides. A contiguous tensor is a view; any other is copied
 * into contiguous order, and all such copies together may take `copyBytes`, so that strides of 0 cannot fill the memory.
 */
export class TensorBuilder {
  readonly #where: string;
  readonly #copyBytes: number;
  #copied = 0;

  constructor(where: string, copyBytes: number) {
    this.#where = where;
    this.#copyBytes = copyBytes;
  }

  /** @throws IoError for a tensor that is not within its storage, or copies beyond the bound. */
  build(storage: unknown, offset: unknown, shape: unknown, strides: unknown): RawTensor {
    if (!(storage instanceof TorchStorage)) throw this.#error('storage', 'a tensor has no storage', FIX);
    if (!isCounts(shape) || !isCounts(strides) || shape.length !== strides.length || !isCounts([offset]))
      throw this.#error(
        'shape',
        `a tensor has shape ${quote(shape)}, strides ${quote(strides)}, offset ${quote(offset)}`,
        FIX,
      );
    const { dtype, data } = storage;
    const width = DTYPE_BYTES.get(dtype) as number;
    const tensor = { dtype, shape: [...shape] };
    if (shape.includes(0)) return { ...tensor, data: new Uint8Array(0) };

    const count = shape.reduce((product, size) => product * size, 1);
    const first = offset as number;
    const last = shape.reduce((sum, size, i) => sum + (size - 1) * (strides[i] as number), first);
    if (!((last + 1) * width <= data.byteLength))
      throw this.#error(
        'storage',
        `a tensor of shape ${quote(shape)} needs element ${last} of a storage of ${Math.floor(data.byteLength / width)}`,
        'write or download the file again',
      );
    if (isContiguous(shape, strides)) return { ...tensor, data: data.subarray(first * width, (first + count) * width) };

    this.#copied += count * width;
    if (!(this.#copied <= this.#copyBytes))
      throw this.#error(
        'limit',
        `a tensor of shape ${quote(shape)} and strides ${quote(strides)} is a small storage repeated too often`,
        'save the tensors with .contiguous()',
      );
    return { ...tensor, data: gather(data, width, first, shape, strides, count) };
  }

  #error(code: 'storage' | 'shape' | 'limit', what: string, fix: string): IoError {
    return new IoError(code, this.#where, what, fix);
  }
}

/** Whether elements lie one after the other; the stride of a dimension of size 1 does not matter. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    if (strides[i] !== expected) return false;
    expected *= shape[i] as number;
  }
  return true;
}

/** Copies element by element, the last dimension fastest. */
function gather(
  data: Uint8Array,
  width: number,
  first: number,
  shape: readonly number[],
  strides: readonly number[],
  count: number,
): Uint8Array {
  const out = new Uint8Array(count * width);
  const index = new Array<number>(shape.length).fill(0);
  let from = first;
  for (let to = 0; to < out.length; ) {
    for (let byte = 0; byte < width; byte++) out[to++] = data[from * width + byte] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const [size, stride] = [shape[axis] as number, strides[axis] as number];
      const next = (index[axis] as number) + 1;
      from += stride;
      index[axis] = next;
      if (next < size) break;
      from -= size * stride;
      index[axis] = 0;
    }
  }
  return out;
}

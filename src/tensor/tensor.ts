import { bytesOf, type DType } from './dtype.ts';
import { TensorError } from './errors.ts';

/** STORAGE | COPY_SRC | COPY_DST: what every tensor's buffer can be used for. */
export const TENSOR_USAGE = 0x80 | 0x4 | 0x8;

/** Tensors that lie in one flat buffer, of which a kernel reads all at once by where each lies. */
export interface Pack {
  /** The buffer whole. */
  readonly whole: Tensor;
  /** Each at a multiple of 256 bytes, zeros after it. */
  readonly members: readonly Tensor[];
  /** Of each member its first element in the buffer and how many it has: u32 [members, 2]. */
  readonly places: Tensor;
}

/** A range of a GPU buffer that holds one tensor's elements; views share it, and gradients are kept by it. */
export class Storage {
  readonly buffer: GPUBuffer;
  /** Bytes, a multiple of minStorageBufferOffsetAlignment. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Where this tensor's gradient lives; parameters have one in a flat buffer. */
  readonly gradient: Storage | undefined;
  /** Where an f16 copy of the elements lies, which products of f16 read; weights may have one. */
  readonly half: Storage | undefined;
  /** The weights that lie in a flat buffer with it, where it is one of them. */
  pack: Pack | undefined;
  /** True when a recorded backward must reach this storage. */
  needsGrad: boolean;
  /** Uses left before an arena takes it back. Storages outside an arena ignore it. */
  references = 1;

  constructor(buffer: GPUBuffer, offset: number, size: number, gradient?: Storage, half?: Storage) {
    this.buffer = buffer;
    this.offset = offset;
    this.size = size;
    this.gradient = gradient;
    this.half = half;
    this.needsGrad = gradient !== undefined;
  }
}

/** A row-major tensor on the GPU. It is a buffer range, so kernels bind it as it is. */
export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly storage: Storage;
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;

  /** @throws TensorError for a shape that its storage does not hold. */
  constructor(shape: readonly number[], storage: Storage, dtype: DType = 'f32') {
    const bytes = bytesOf(dtype, count(shape));
    if (bytes > storage.size)
      throw new TensorError(
        `shape [${shape}] needs ${bytes} bytes, its storage has ${storage.size}`,
        'give a shape that fits',
      );
    this.shape = shape;
    this.dtype = dtype;
    this.storage = storage;
    this.buffer = storage.buffer;
    this.offset = storage.offset;
    this.size = storage.size;
  }

  /** Number of elements. */
  get count(): number {
    return count(this.shape);
  }

  /** Bytes of its elements; its storage may be longer. */
  get bytes(): number {
    return bytesOf(this.dtype, this.count);
  }

  /** Its f16 copy, where it has one. */
  get half(): Tensor | undefined {
    const { half } = this.storage;
    return half && new Tensor(this.shape, half, 'f16');
  }

  /** The same elements under another shape; gradients are shared. @throws TensorError when the counts differ. */
  view(...shape: number[]): Tensor {
    if (count(shape) !== this.count)
      throw new TensorError(
        `cannot view [${this.shape}] as [${shape}]: ${this.count} elements, not ${count(shape)}`,
        'give a shape of as many elements',
      );
    return new Tensor(shape, this.storage, this.dtype);
  }

  /**
   * The elements from `first` on under a shape, to copy from or to: without gradient, and not for kernels to bind, whose ranges begin
   * at multiples of 256 bytes.
   */
  slice(first: number, ...shape: number[]): Tensor {
    const [from, size] = [bytesOf(this.dtype, first), bytesOf(this.dtype, count(shape))];
    if (from + size > this.size)
      throw new TensorError(`[${shape}] from element ${first} of [${this.shape}]`, 'give a range within the tensor');
    return new Tensor(shape, new Storage(this.buffer, this.offset + from, size), this.dtype);
  }
}

/** Product of the sizes; 1 for a scalar's []. */
export function count(shape: readonly number[]): number {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
}

/** Size of the last axis, and how many rows of it there are. */
export function rowsAndCols(t: Tensor): { rows: number; cols: number } {
  const cols = t.shape[t.shape.length - 1] as number;
  return { rows: t.count / cols, cols };
}

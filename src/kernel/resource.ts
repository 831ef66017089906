import type { KernelErrorCode } from './errors.ts';
import type { BufferLike } from './shader.ts';

/** What a binding gets: whole words of one buffer. */
export interface Resource {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

type Fail = (wrong: { code: KernelErrorCode; what: string; fix: string }) => never;

const USAGE_STORAGE = 0x80;

/** The range of a buffer that holds `needed` bytes; what is wrong goes to `fail`. */
export function rangeOf(given: BufferLike, needed: number, limits: GPUSupportedLimits, fail: Fail): Resource {
  const range = isBuffer(given) ? { buffer: given } : given;
  const { buffer } = range;
  if (!isBuffer(buffer)) {
    const what =
      typeof given === 'object' ? `is a ${(given as object).constructor?.name ?? 'plain object'}` : `is ${given}`;
    fail({ code: 'bad-buffer', what, fix: 'give a GPUBuffer, or { buffer, offset, size } of one' });
  }
  const offset = range.offset ?? 0;
  const size = range.size ?? buffer.size - offset;
  for (const [word, bytes] of Object.entries({ offset, size })) {
    if (Number.isInteger(bytes) && (bytes >= 0 || word === 'size')) continue;
    fail({ code: 'bad-buffer', what: `has ${word} ${bytes}`, fix: `give ${word} a whole number of bytes, 0 or more` });
  }
  if (offset % limits.minStorageBufferOffsetAlignment !== 0) {
    const fix = `start it at a multiple of ${limits.minStorageBufferOffsetAlignment}`;
    fail({ code: 'buffer-alignment', what: `starts at byte ${offset}`, fix });
  }
  if (size < needed || size < 0 || offset + size > buffer.size) {
    const what = `needs ${needed} bytes, the range has ${size} from byte ${offset} of a buffer of ${buffer.size}`;
    fail({ code: 'buffer-too-small', what, fix: 'give a larger buffer or smaller dims' });
  }
  const max = limits.maxStorageBufferBindingSize;
  if (needed > max) {
    const what = `needs ${needed} bytes; a binding of this device holds ${max}`;
    const fix = 'give a smaller batch, split the tensor, or request a device with a larger maxStorageBufferBindingSize';
    fail({ code: 'limit', what, fix });
  }
  if ((buffer.usage & USAGE_STORAGE) === 0) {
    fail({ code: 'buffer-usage', what: 'is not a storage buffer', fix: 'create it with GPUBufferUsage.STORAGE' });
  }
  // The binding is cut to what the dims need (in whole words of 16 bytes where the range has them), so that a shader's arrayLength cannot exceed it.
  const rounded = Math.min(size, Math.max(16, Math.ceil(needed / 16) * 16));
  return { buffer, offset, size: Math.floor(rounded / 4) * 4 };
}

/** By its members: an app's GPUBuffer may be of another realm than the global class, and Node has no such global. */
function isBuffer(value: unknown): value is GPUBuffer {
  const { size, usage, destroy } = (value ?? {}) as Partial<GPUBuffer>;
  return typeof size === 'number' && typeof usage === 'number' && typeof destroy === 'function';
}

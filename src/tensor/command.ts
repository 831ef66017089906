import type { BufferLike, DispatchRecord, Kernel } from '../kernel/index.ts';
import type { Tensor } from './tensor.ts';

/** As the tensor's elements lie: halves as the 16 bits of each. */
export type Words = Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

/** Where bytes of the host lie until the device has copied them. */
export interface Staged {
  readonly buffer: GPUBuffer;
  /** Bytes from its start, a multiple of 4. */
  readonly offset: number;
  /** Whole words of 4. */
  readonly bytes: number;
}

/** One recorded command. */
export type Command =
  | {
      readonly kind: 'run';
      readonly kernel: Kernel;
      readonly record: DispatchRecord;
      readonly buffers: { readonly [name: string]: BufferLike | undefined };
    }
  | { readonly kind: 'clear'; readonly tensor: Tensor }
  | { readonly kind: 'copy'; readonly from: Tensor; readonly to: Tensor; readonly bytes: number }
  | {
      readonly kind: 'upload';
      readonly staged: Staged;
      readonly tensor: Tensor;
      readonly byteOffset: number;
    }
  | { readonly kind: 'write'; readonly tensor: Tensor; readonly data: Words; readonly byteOffset: number };

/** True where two commands do the same to the same bytes. What a write brings is the host's to say: two are never the same. */
export function sameCommand(a: Command, b: Command): boolean {
  if (a.kind === 'run') return b.kind === 'run' && a.record === b.record;
  if (a.kind === 'clear') return b.kind === 'clear' && sameBytes(a.tensor, b.tensor);
  if (a.kind === 'copy')
    return b.kind === 'copy' && a.bytes === b.bytes && samePlace(a.from, b.from) && samePlace(a.to, b.to);
  return false;
}

/** Whether a command may read or write bytes of a tensor. */
export function touches(command: Command, { buffer, offset, size }: Tensor): boolean {
  const overlaps = (other: GPUBuffer, from: number, bytes: number) =>
    other === buffer && from < offset + size && offset < from + bytes;
  if (command.kind === 'run')
    return Object.values(command.buffers).some((given) => {
      if (!given) return false;
      const range = 'buffer' in given ? given : { buffer: given };
      return overlaps(range.buffer, range.offset ?? 0, range.size ?? range.buffer.size - (range.offset ?? 0));
    });
  const tensors = command.kind === 'copy' ? [command.from, command.to] : [command.tensor];
  return tensors.some((tensor) => overlaps(tensor.buffer, tensor.offset, tensor.size));
}

function samePlace(a: Tensor, b: Tensor): boolean {
  return a.buffer === b.buffer && a.offset === b.offset;
}

function sameBytes(a: Tensor, b: Tensor): boolean {
  return samePlace(a, b) && a.size === b.size;
}

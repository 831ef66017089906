import type { Tape } from '../../autograd/tape.ts';
import type { Tensor } from '../../tensor/index.ts';

/** The most bytes that a tensor may have at WebGPU's default limits: what a kernel can bind. */
const DEFAULT_BINDING = 128 * 2 ** 20;

/**
 * Channel-last images as strips of their rows, one below the other, where one tensor of all rows would be too large to bind; as a single
 * strip otherwise, and always on a tape that records. Strips are no approximation: what is made of them is what would be made of the whole.
 */
export interface Images {
  /** [B, rows, W, C] each, from the top. */
  readonly strips: readonly Tensor[];
  readonly height: number;
  /** Bytes that a strip may have. */
  readonly most: number;
}

/** Images [B, H, W, C] in one strip. @param most bytes that a strip made of them may have; what the device can bind if left out. */
export function imagesOf(tape: Tape, whole: Tensor, most?: number): Images {
  const limit = Math.min(DEFAULT_BINDING, tape.workspace.device.limits.maxStorageBufferBindingSize);
  return { strips: [whole], height: whole.shape[1] as number, most: tape.recording ? Infinity : (most ?? limit) };
}

/** Sizes of images: batch, width, channels. */
export function sizeOf({ strips }: Images): { batch: number; width: number; channels: number } {
  const [batch, , width, channels] = (strips[0] as Tensor).shape as [number, number, number, number];
  return { batch, width, channels };
}

/** Bytes of so many rows. */
export const bytesOfRows = (batch: number, rows: number, width: number, channels: number): number =>
  4 * batch * rows * width * channels;

/** Frees what no later op reads; nothing on a tape that records, whose backward may. */
export function freeImages(tape: Tape, { strips }: Images): void {
  if (!tape.recording) for (const strip of strips) tape.release(strip);
}

/** Runs `body` and frees all that it allocated but what it gives: a block of a network. */
export function scopedImages(tape: Tape, body: () => Images): Images {
  if (tape.recording) return body();
  let images: Images | undefined;
  tape.workspace.arena.scope(() => {
    images = body();
    return images.strips;
  });
  return images as Images;
}

/** Images through parts one after the other; what a part was given is freed behind it. */
export function walkParts<P>(
  tape: Tape,
  parts: readonly P[],
  given: Images,
  run: (part: P, x: Images) => Images,
): Images {
  let x = given;
  for (const part of parts) {
    const before = x;
    x = scopedImages(tape, () => run(part, before));
    freeImages(tape, before);
  }
  return x;
}

/** All rows in one tensor. */
export function wholeOf(tape: Tape, x: Images): Tensor {
  return rowsOf(tape, x, 0, x.height).tensor;
}

/** Applies an op to each strip that makes as many rows of it. */
export function eachStrip(x: Images, op: (strip: Tensor) => Tensor): Images {
  return { ...x, strips: x.strips.map(op) };
}

/** Runs `use` on the rows [from, to) of images in one tensor, which it must not keep. */
export function withRows<T>(tape: Tape, x: Images, from: number, to: number, use: (rows: Tensor) => T): T {
  const { tensor, made } = rowsOf(tape, x, from, to);
  const result = use(tensor);
  if (made) tape.release(tensor);
  return result;
}

/** The rows [from, to) in one tensor: a strip itself where it is these, else a copy. */
function rowsOf(tape: Tape, x: Images, from: number, to: number): { tensor: Tensor; made: boolean } {
  const { batch, width, channels } = sizeOf(x);
  const row = width * channels;
  let top = 0;
  let made: Tensor | undefined;
  for (const strip of x.strips) {
    const rows = strip.shape[1] as number;
    if (top === from && top + rows === to) return { tensor: strip, made: false };
    const [first, last] = [Math.max(from, top), Math.min(to, top + rows)];
    if (first < last) {
      made ??= tape.alloc(batch, to - from, width, channels);
      for (let b = 0; b < batch; b++)
        tape.workspace.stream.copy(
          strip.slice((b * rows + first - top) * row, last - first, row),
          made.slice((b * (to - from) + first - from) * row, last - first, row),
        );
    }
    top += rows;
  }
  return { tensor: made as Tensor, made: true };
}

/** What the strips of something that is made have to keep to. */
export interface StripPlan {
  /** Rows that are made. */
  readonly height: number;
  /** Bytes of the widest tensor of a strip for each row made, and rows that this has beside. */
  readonly bytesPerRow: number;
  readonly beside: number;
  /** Strips end at odd rows, or at multiples of so many. */
  readonly ends: 'odd' | number;
}

/**
 * The rows [from, to) of each strip: all in one where that is within `most` bytes; else about equal ones of half of that at most, or of the
 * fewest rows that there can be.
 */
export function planStrips(
  most: number,
  { height, bytesPerRow, beside, ends }: StripPlan,
): [from: number, to: number][] {
  if (bytesPerRow * (height + beside) <= most) return [[0, height]];
  const multiple = ends === 'odd' ? 2 : ends;
  const fitting = Math.max(multiple, Math.floor(most / 2 / bytesPerRow) - beside);
  const even = Math.ceil(height / Math.ceil(height / fitting));
  const step = Math.max(multiple, Math.floor(Math.min(even, fitting) / multiple) * multiple);
  const strips: [number, number][] = [];
  for (let from = 0; from < height; from = (strips.at(-1) as [number, number])[1])
    strips.push([from, Math.min(height, from + step - (ends === 'odd' && from === 0 ? 1 : 0))]);
  return strips;
}

import type { FlatBuffers, Tensor } from '../tensor/index.ts';

/** How numbers are sent. */
export type Wire = 'f32' | 'bf16';

/** A range of a flat buffer that is exchanged as a whole. */
export interface Piece {
  readonly tensor: Tensor;
  /** First element, a multiple of 64: kernels bind it. */
  readonly first: number;
  readonly count: number;
  readonly wire: Wire;
  /** Elements of which each rank adds up one part: a multiple of 128, so that ranks * part >= count. */
  readonly part: number;
}

/** Elements that kernels bind in whole: 256 bytes, of bf16 too. */
const ALIGN = 128;

/** By how much the first piece is shorter than those it grows to. */
const SHORTER = 16;

/** Bytes of elements on the wire. */
export const wireBytes = (wire: Wire, elements: number): number => elements * (wire === 'bf16' ? 2 : 4);

/**
 * Cuts flat buffers into pieces of `elements` at most, in the order in which a backward is done with them: a piece comes after those of later
 * parameters, in the order in which the network names them. Where parameters lie in another order, those of all blocks side by side, a
 * piece ends where their order falls back: one of the first block would have it wait for the end.
 */
export function cutPieces({ chunks, layout }: FlatBuffers, wire: Wire, elements: number, ranks: number): Piece[] {
  const most = Math.max(ALIGN, Math.floor(elements / ALIGN) * ALIGN);
  const ordered = layout.places.map(({ chunk, offset }, order) => ({ chunk, begin: offset / 4, order }));
  const pieces = chunks.flatMap((tensor, chunk) => {
    const places = ordered.filter((place) => place.chunk === chunk).sort((a, b) => a.begin - b.begin);
    const runs = places.filter(({ order }, i) => i === 0 || order < (places[i - 1] as { order: number }).order);
    const firsts = runs.flatMap(({ begin }, i) => growing(begin, runs[i + 1]?.begin ?? tensor.count, most));
    return firsts.map((first, i) => {
      const piece = pieceOf(tensor, first, (firsts[i + 1] ?? tensor.count) - first, wire, ranks);
      return { piece, earliest: places.findLast(({ begin }) => begin <= first)?.order ?? 0 };
    });
  });
  return pieces.sort((a, b) => b.earliest - a.earliest).map(({ piece }) => piece);
}

/**
 * Where pieces between two places begin, each twice as long as the one before until they are of `most`: those of the first parameters are sent
 * last, when nothing hides them, and are the shorter the sooner each is done.
 */
function growing(begin: number, end: number, most: number): number[] {
  const firsts: number[] = [];
  let length = Math.max(ALIGN, Math.floor(most / SHORTER / ALIGN) * ALIGN);
  for (let first = begin; first < end; length = Math.min(2 * length, most)) {
    firsts.push(first);
    first += length;
  }
  return firsts;
}

/** A range as a piece. */
export function pieceOf(tensor: Tensor, first: number, count: number, wire: Wire, ranks: number): Piece {
  const part = Math.ceil(count / ranks / ALIGN) * ALIGN;
  return { tensor, first, count, wire, part };
}

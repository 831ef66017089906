import { count, type FlatBuffers, type Tensor } from '../tensor/index.ts';

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

/** Bytes of elements on the wire. */
export const wireBytes = (wire: Wire, elements: number): number => elements * (wire === 'bf16' ? 2 : 4);

/**
 * Cuts flat buffers into pieces of `elements` at most, in the order in which a backward is done with them: a piece comes after those of later
 * parameters, in the order in which the network names them.
 */
export function cutPieces({ chunks, layout }: FlatBuffers, wire: Wire, elements: number, ranks: number): Piece[] {
  const most = Math.max(ALIGN, Math.floor(elements / ALIGN) * ALIGN);
  const pieces = chunks.flatMap((tensor, chunk) =>
    Array.from({ length: Math.ceil(tensor.count / most) }, (_, i) => {
      const first = i * most;
      const piece = pieceOf(tensor, first, Math.min(most, tensor.count - first), wire, ranks);
      const [from, end] = [4 * first, 4 * (first + piece.count)];
      const earliest = layout.places.findIndex(
        (place) => place.chunk === chunk && place.offset < end && from < place.offset + 4 * count(place.shape),
      );
      return { piece, earliest };
    }),
  );
  return pieces.sort((a, b) => b.earliest - a.earliest).map(({ piece }) => piece);
}

/** A range as a piece. */
export function pieceOf(tensor: Tensor, first: number, count: number, wire: Wire, ranks: number): Piece {
  const part = Math.ceil(count / ranks / ALIGN) * ALIGN;
  return { tensor, first, count, wire, part };
}

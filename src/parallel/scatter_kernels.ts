import { wirePack, wireSum, wireUnpack } from '../kernels/wire.ts';
import type { Workspace } from '../tensor/index.ts';
import { type Dispatch, dispatch, type LaneUse, laneBuffer, numbersOf } from './lane.ts';
import { type Piece, wireBytes } from './pieces.ts';
import type { Place } from './staging.ts';

/** The kernels of one piece. Numbers of f32 are sent as they are. */
interface Dispatches {
  readonly pack: Dispatch | undefined;
  readonly sum: Dispatch;
  readonly unpack: Dispatch | undefined;
}

/** Bytes of a part of the largest piece. */
export const largestPart = (pieces: readonly Piece[]): number =>
  Math.max(...pieces.map(({ wire, part }) => wireBytes(wire, part)));

/** The device's side of a scatter lane: buffers for the largest piece, and the kernels of each. */
export class ScatterKernels {
  /** A piece as it is sent, where that is not as it is. */
  readonly packed: GPUBuffer;
  /** What is summed, [ranks] parts after each other, and the sum. */
  readonly received: GPUBuffer;
  readonly summed: GPUBuffer;
  readonly #use: LaneUse;
  readonly #dispatches: ReadonlyMap<Piece, Dispatches>;

  constructor(use: LaneUse) {
    const { ranks, pieces } = use;
    const largest = largestPart(pieces);
    this.#use = use;
    this.packed = laneBuffer(use, 'packed', ranks.size * largest);
    this.received = laneBuffer(use, 'to sum', ranks.size * largest);
    this.summed = laneBuffer(use, 'summed', largest);
    this.#dispatches = new Map(pieces.map((piece) => [piece, this.#dispatchesOf(piece)]));
  }

  /** Resolves when all kernels are compiled. */
  static async compiled({ device }: Workspace): Promise<void> {
    const sums = [false, true].map((bf16) => wireSum.prepare(device, { bf16 }).ready);
    await Promise.all([wirePack.prepare(device).ready, wireUnpack.prepare(device).ready, ...sums]);
  }

  of(piece: Piece): Dispatches {
    return this.#dispatches.get(piece) as Dispatches;
  }

  /** Where the numbers of a piece are, as they are sent. */
  sourceOf({ tensor, first, wire }: Piece): Place {
    return wire === 'bf16' ? { buffer: this.packed, at: 0 } : { buffer: tensor.buffer, at: tensor.offset + 4 * first };
  }

  free(): void {
    for (const buffer of [this.packed, this.received, this.summed]) this.#use.workspace.ledger.destroy(buffer);
  }

  #dispatchesOf(piece: Piece): Dispatches {
    const { workspace, weights } = this.#use;
    const { device } = workspace;
    const { count, wire, part } = piece;
    const bf16 = wire === 'bf16';
    const numbers = numbersOf(piece);
    const [pack, unpack] = [wirePack.prepare(device), wireUnpack.prepare(device)];
    const sum = wireSum.prepare(device, { bf16 });
    const summing = { x: this.received, weights, out: this.summed };
    return {
      pack: bf16 ? dispatch(pack, pack.bind({ x: numbers, out: this.packed }, { count })) : undefined,
      sum: dispatch(sum, sum.bind(summing, { ranks: weights.count, words: wireBytes(wire, part) / 4 })),
      unpack: bf16 ? dispatch(unpack, unpack.bind({ x: this.packed, out: numbers }, { count })) : undefined,
    };
  }
}

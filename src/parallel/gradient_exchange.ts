import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';
import type { Communicator } from './communicator.ts';
import { Lane } from './lane.ts';
import { cutPieces, type Piece, pieceOf, type Wire, wireBytes } from './pieces.ts';

/** Elements of a piece at most. */
const PIECE = 2 ** 23;
/** Pieces on their way at once: one is on the wire while others are copied, summed and copied back. */
const LANES = 3;

/** How gradients are exchanged. */
export interface ExchangeOptions {
  readonly ranks: Communicator;
  /** The weight of each rank in the mean: its share of the batch. [ranks] */
  readonly shares: Float32Array<ArrayBuffer>;
  /** What numbers are sent as; sums are f32. Of bf16 half the bytes go, and gradients are rounded to 8 bits, once before the sum and once after. */
  readonly wire: Wire;
  /** Elements of a piece (default: 2^23). */
  readonly pieceElements?: number;
}

/** Lets things start in the order in which their turns were taken. */
class Turns {
  #last: Promise<void> = Promise.resolve();

  /** A turn: called with what is to be started, it waits until those before have been. */
  take(): <T>(start: () => Promise<T>) => Promise<T> {
    const before = this.#last;
    let started = () => {};
    this.#last = new Promise((done) => {
      started = done;
    });
    return async (start) => {
      await before;
      const work = start();
      started();
      return work;
    };
  }
}

/**
 * Averages gradients and loss over all ranks: a reduce-scatter, whose sums the GPU makes in the order of the ranks, and an allgather. Each
 * part of the sum is made by one rank alone, so all have the same bits, which depend on the number of ranks and not on the time at
 * which anything came. The host copies nothing: messages go from and to mapped buffers.
 */
export class GradientExchange {
  readonly ranks: Communicator;
  readonly #workspace: Workspace;
  readonly #options: ExchangeOptions;
  #plan: { readonly pieces: readonly Piece[]; readonly lanes: readonly Lane[]; readonly weights: Tensor } | undefined;

  constructor(workspace: Workspace, options: ExchangeOptions) {
    this.#workspace = workspace;
    this.#options = options;
    this.ranks = options.ranks;
  }

  /**
   * Averages in place; all that writes them was submitted before. The same tensors are given every time. Resolves when the commands that
   * bring the averages are submitted.
   * @throws BufferLimitError where there is no memory for what is on its way.
   */
  async average(gradients: FlatBuffers, loss: Tensor): Promise<void> {
    const { pieces, lanes } = (this.#plan ??= await this.#made(gradients, loss));
    const [scattering, gathering] = [new Turns(), new Turns()];
    const last = lanes.map(() => Promise.resolve());
    pieces.forEach((piece, i) => {
      const at = i % lanes.length;
      const turns = [scattering.take(), gathering.take()] as const;
      const before = last[at] as Promise<void>;
      last[at] = before.then(() => this.#exchange(piece, lanes[at] as Lane, ...turns));
    });
    await Promise.all(last);
  }

  /** Frees what is on the device. */
  free(): void {
    for (const lane of this.#plan?.lanes ?? []) lane.free();
    if (this.#plan) this.#workspace.free(this.#plan.weights);
    this.#plan = undefined;
  }

  async #made(gradients: FlatBuffers, loss: Tensor) {
    const { ranks, shares, wire, pieceElements = PIECE } = this.#options;
    const workspace = this.#workspace;
    const weights = workspace.create('data', 'shares of the ranks', [ranks.size]);
    workspace.device.queue.writeBuffer(weights.buffer, weights.offset, shares);
    // The loss is there before all gradients, and is sent as it is.
    const pieces = [
      pieceOf(loss, 0, 1, 'f32', ranks.size),
      ...cutPieces(gradients.chunks, wire, pieceElements, ranks.size),
    ];
    const lanes = Array.from({ length: Math.min(LANES, pieces.length) }, (_, lane) => {
      const its = pieces.filter((_, i) => i % LANES === lane);
      return new Lane(workspace, weights, its, `by lane ${lane}`);
    });
    await Promise.all([Lane.compiled(workspace), workspace.ledger.check()]);
    return { pieces, lanes, weights };
  }

  async #exchange(
    piece: Piece,
    lane: Lane,
    scatter: ReturnType<Turns['take']>,
    gather: ReturnType<Turns['take']>,
  ): Promise<void> {
    const { ranks } = this;
    const part = wireBytes(piece.wire, piece.part);
    const all = part * ranks.size;
    const { send, receive, own, gather: gathered } = lane;

    this.#submit((encoder) => lane.encodeSend(encoder, piece));
    send.map();
    const [sent, received] = [await send.bytes(all), await receive.bytes(all)];
    await scatter(() => ranks.alltoall(sent, received));
    send.buffer.unmap();
    receive.buffer.unmap();

    this.#submit((encoder) => lane.encodeSum(encoder, piece));
    receive.map();
    own.map();
    const [mine, whole] = [await own.bytes(part), await gathered.bytes(all)];
    await gather(() => ranks.allgather(mine, whole));
    own.buffer.unmap();
    gathered.buffer.unmap();

    this.#submit((encoder) => lane.encodeResult(encoder, piece));
    gathered.map();
  }

  #submit(encode: (encoder: GPUCommandEncoder) => void): void {
    const { device } = this.#workspace;
    const encoder = device.createCommandEncoder();
    encode(encoder);
    device.queue.submit([encoder.finish()]);
  }
}

import type { FlatBuffers, Tensor, Workspace } from '../tensor/index.ts';
import { anyOf } from './agree.ts';
import type { Communicator } from './communicator.ts';
import { Lane } from './lane.ts';
import { cutPieces, type Piece, pieceOf, type Wire, wireBytes } from './pieces.ts';

/** Pieces that gradients are cut into, of so many elements at least and at most: the wire begins with the first, and each call costs. */
const PIECES = 32;
const [LEAST, MOST] = [2 ** 16, 2 ** 22];
/** Pieces on their way at once: one is on the wire while others wait for the device, before their sum and after it. */
const LANES = 8;

/** How gradients are exchanged. */
export interface ExchangeOptions {
  readonly ranks: Communicator;
  /** The weight of each rank in the mean: its share of the batch. [ranks] */
  readonly shares: Float32Array<ArrayBuffer>;
  /** What numbers are sent as; sums are f32. Of bf16 half the bytes go, and gradients are rounded to 8 bits, once before the sum and once after. */
  readonly wire: Wire;
  /** Elements of a piece (default: a 32nd of all, 2^16 to 2^22). */
  readonly pieceElements?: number;
}

/** What is sent, through what. */
interface Plan {
  readonly pieces: readonly Piece[];
  readonly lanes: readonly Lane[];
  readonly weights: Tensor;
}

type Turn = <T>(start: () => Promise<T>) => Promise<T>;

/** Lets things start in the order in which their turns were taken. */
class Turns {
  #last: Promise<void> = Promise.resolve();

  /** A turn: called with what is to be started, it waits until those before have been. */
  take(): Turn {
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
  #plan: Plan | undefined;
  /** Of this step: pieces that are on their way or done, when each lane is free, and who is next to send. */
  #sent = 0;
  #ways: Promise<void>[] = [];
  #turns: Turns[] = [];

  constructor(workspace: Workspace, options: ExchangeOptions) {
    this.#workspace = workspace;
    this.#options = options;
    this.ranks = options.ranks;
  }

  /**
   * Begins a step: gives the ranges in the order in which they are sent. The same tensors are given every time.
   * @throws BufferLimitError where there is no memory for what is on its way.
   */
  async begin(gradients: FlatBuffers, loss: Tensor): Promise<readonly Tensor[]> {
    this.#plan ??= await this.#made(gradients, loss);
    const { pieces, lanes } = this.#plan;
    this.#sent = 0;
    this.#ways = lanes.map(() => Promise.resolve());
    this.#turns = [new Turns(), new Turns()];
    return pieces.map(({ tensor, first, count }) => tensor.slice(first, count));
  }

  /** The first `count` ranges may be sent: all that writes them was submitted. */
  send(count: number): void {
    const { pieces, lanes } = this.#plan as Plan;
    for (const piece of pieces.slice(this.#sent, count)) {
      const at = this.#sent++ % lanes.length;
      const turns = this.#turns.map((turns) => turns.take());
      const way = (this.#ways[at] as Promise<void>).then(() =>
        this.#exchange(piece, lanes[at] as Lane, ...(turns as [Turn, Turn])),
      );
      way.catch(() => {}); // told by finish
      this.#ways[at] = way;
    }
  }

  /** Sends the rest; resolves when the commands are submitted that bring the averages. */
  async finish(): Promise<void> {
    this.send((this.#plan as Plan).pieces.length);
    await Promise.all(this.#ways);
  }

  /** Whether one rank at least says so. */
  any(said: boolean): Promise<boolean> {
    return anyOf(this.ranks, said);
  }

  /** Frees what is on the device. */
  free(): void {
    for (const lane of this.#plan?.lanes ?? []) lane.free();
    if (this.#plan) this.#workspace.free(this.#plan.weights);
    this.#plan = undefined;
  }

  async #made(gradients: FlatBuffers, loss: Tensor) {
    const { ranks, shares, wire, pieceElements } = this.#options;
    const workspace = this.#workspace;
    const weights = workspace.create('data', 'shares of the ranks', [ranks.size]);
    workspace.device.queue.writeBuffer(weights.buffer, weights.offset, shares);
    const elements = gradients.chunks.reduce((sum, chunk) => sum + chunk.count, 0);
    const each = pieceElements ?? Math.min(MOST, Math.max(LEAST, Math.ceil(elements / PIECES)));
    // The loss is sent as it is: it is what is looked at.
    const pieces = [...cutPieces(gradients.chunks, wire, each, ranks.size), pieceOf(loss, 0, 1, 'f32', ranks.size)];
    const lanes = Array.from({ length: Math.min(LANES, pieces.length) }, (_, lane) => {
      const its = pieces.filter((_, i) => i % LANES === lane);
      return new Lane(workspace, weights, ranks.rank, its, `by lane ${lane}`);
    });
    await Promise.all([Lane.compiled(workspace), workspace.ledger.check()]);
    return { pieces, lanes, weights };
  }

  async #exchange(piece: Piece, lane: Lane, scatter: Turn, gather: Turn): Promise<void> {
    const { ranks } = this;
    const part = wireBytes(piece.wire, piece.part);
    const all = part * ranks.size;
    const { send, receive, own, gather: gathered } = lane;

    this.#submit((encoder) => lane.encodeSend(encoder, piece));
    send.map();
    const [sent, received] = [await send.bytes(all), await receive.bytes(all)];
    await scatter(() => ranks.alltoall(sent, received, false));
    send.buffer.unmap();
    receive.buffer.unmap();

    this.#submit((encoder) => lane.encodeSum(encoder, piece));
    receive.map();
    own.map();
    const [mine, whole] = [await own.bytes(part), await gathered.bytes(all)];
    await gather(() => ranks.allgather(mine, whole, false));
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

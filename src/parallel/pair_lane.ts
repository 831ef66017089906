import { wireMean, wirePack } from '../kernels/wire.ts';
import type { Workspace } from '../tensor/index.ts';
import type { Communicator } from './communicator.ts';
import {
  type Dispatch,
  dispatch,
  type Lane,
  type LaneUse,
  laneBuffer,
  numbersOf,
  type Submit,
  type Turn,
} from './lane.ts';
import { type Piece, wireBytes } from './pieces.ts';
import { Staging } from './staging.ts';

const bytesOf = ({ wire, count }: Piece): number => wireBytes(wire, count);

/** The kernels of one piece. Numbers of f32 are sent as they are. */
interface Dispatches {
  readonly pack: Dispatch | undefined;
  readonly mean: Dispatch;
}

/**
 * Of two ranks each sends the other all, and both make the whole mean, of the same numbers in the same order: as many bytes as a
 * reduce-scatter and an allgather between two take, in one message, which waits for the device once.
 */
export class PairLane implements Lane {
  readonly #ranks: Communicator;
  readonly #submit: Submit;
  readonly #workspace: Workspace;
  /** A piece as it is sent, where that is not as it is, and the other rank's. */
  readonly #packed: GPUBuffer;
  readonly #received: GPUBuffer;
  readonly #send: Staging;
  readonly #receive: Staging;
  readonly #dispatches: ReadonlyMap<Piece, Dispatches>;

  constructor(use: LaneUse) {
    const { workspace, ranks, submit, pieces, name } = use;
    const largest = Math.max(...pieces.map(bytesOf));
    this.#workspace = workspace;
    this.#ranks = ranks;
    this.#submit = submit;
    this.#packed = laneBuffer(use, 'packed', largest);
    this.#received = laneBuffer(use, 'of the other', largest);
    this.#send = new Staging(workspace, `sent ${name}`, largest, 'out');
    this.#receive = new Staging(workspace, `received ${name}`, largest, 'into');
    this.#dispatches = new Map(pieces.map((piece) => [piece, this.#dispatchesOf(piece, use)]));
  }

  /** Resolves when its kernels are compiled. */
  static async compiled({ device }: Workspace): Promise<void> {
    const means = [false, true].map((bf16) => wireMean.prepare(device, { bf16 }).ready);
    await Promise.all([wirePack.prepare(device).ready, ...means]);
  }

  async exchange(piece: Piece, _: Turn, gather: Turn): Promise<void> {
    const bytes = bytesOf(piece);
    const { tensor, first } = piece;
    const { pack, mean } = this.#dispatches.get(piece) as Dispatches;
    await this.#submit({
      dispatches: [pack],
      after: (encoder) => {
        const [from, at] = pack ? [this.#packed, 0] : [tensor.buffer, tensor.offset + 4 * first];
        encoder.copyBufferToBuffer(from, at, this.#send.buffer, 0, bytes);
      },
    });
    this.#send.map();
    await Promise.all([this.#send.mapped, this.#receive.mapped]);
    await gather(async () => {
      const mapped = ({ buffer }: Staging) => this.#ranks.mapped(buffer, bytes);
      await this.#ranks.swap(mapped(this.#send), mapped(this.#receive));
      this.#send.unmap();
      this.#receive.unmap();
    });
    await this.#submit({
      before: (encoder) => encoder.copyBufferToBuffer(this.#receive.buffer, 0, this.#received, 0, bytes),
      dispatches: [mean],
    });
    this.#receive.map();
  }

  free(): void {
    for (const buffer of [this.#packed, this.#received]) this.#workspace.ledger.destroy(buffer);
    for (const staging of [this.#send, this.#receive]) staging.free();
  }

  #dispatchesOf(piece: Piece, { workspace: { device }, ranks: { rank }, weights }: LaneUse): Dispatches {
    const bf16 = piece.wire === 'bf16';
    const { count } = piece;
    const own = numbersOf(piece);
    const [pack, mean] = [wirePack.prepare(device), wireMean.prepare(device, { bf16 })];
    return {
      pack: bf16 ? dispatch(pack, pack.bind({ x: own, out: this.#packed }, { count })) : undefined,
      mean: dispatch(mean, mean.bind({ own, other: this.#received, weights }, { count, rank })),
    };
  }
}
